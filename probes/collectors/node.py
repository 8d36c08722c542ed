"""All facts of one node, from one round trip."""

import secrets
from collections.abc import Callable
from typing import Final, TypeVar

from probes.collectors import (
    batch,
    conntrack,
    counters,
    fdb,
    flannel,
    host,
    links,
    neighbors,
    offloads,
    pods,
    resolvers,
    routes,
    sockets,
    sysctls,
    unit,
)
from probes.collectors.reading import Outputs, Unreadable, brief
from probes.model.network import NodeNetwork
from probes.transports.base import ConnectionLost, Transport

T = TypeVar("T")

STEPS: Final = (
    *host.STEPS,
    *links.STEPS,
    *routes.STEPS,
    *neighbors.STEPS,
    *fdb.STEPS,
    *sockets.STEPS,
    *flannel.STEPS,
    *resolvers.STEPS,
    *unit.STEPS,
    *sysctls.STEPS,
    *counters.STEPS,
    *conntrack.STEPS,
    *offloads.STEPS,
    *pods.STEPS,
)
_GAPS: Final[dict[str, Callable[[Outputs], str]]] = {
    "links": links.gap,
    "routes": routes.gap,
    "neighbors": neighbors.gap,
    "resolvers": resolvers.gap,
}
ARGV: Final = ("sh", "-s")
"""What runs on the node; the login shell may be anything, so nothing else is in the command."""


def parse(outputs: Outputs) -> NodeNetwork:
    """Read every fact by itself: one that cannot be had is None, and ``unassessed`` says why."""
    unassessed: dict[str, str] = {}

    def fact(name: str, read: Callable[[Outputs], T]) -> T | None:
        try:
            value = read(outputs)
        except Unreadable as error:
            unassessed[name] = str(error)
            return None
        if name in _GAPS and (gap := _GAPS[name](outputs)):
            unassessed[name] = gap
        return value

    return NodeNetwork(
        links=fact("links", links.parse),
        routes=fact("routes", routes.parse),
        neighbors=fact("neighbors", neighbors.parse),
        fdb=fact("fdb", fdb.parse),
        udp=fact("udp", sockets.parse),
        subnet_env=fact("subnet_env", flannel.parse_subnet_env),
        subnet_env_copies=fact("subnet_env_copies", flannel.parse_copies),
        net_conf=fact("net_conf", flannel.parse_net_conf),
        resolvers=fact("resolvers", resolvers.parse),
        unit=fact("unit", unit.parse),
        host=fact("host", host.parse),
        sysctls=fact("sysctls", sysctls.parse),
        counters=fact("counters", counters.parse),
        offloads=fact("offloads", offloads.parse),
        conntrack=fact("conntrack", conntrack.parse),
        pod_netns=fact("pod_netns", pods.parse),
        unassessed=unassessed,
    )


async def collect(transport: Transport, *, timeout: float) -> NodeNetwork:
    """Ask a node everything in one round trip of at most ``timeout`` seconds.

    Raises TransportError, also where nothing came back that is ours.
    """
    nonce = secrets.token_hex(16)
    done = await transport.run(ARGV, stdin=batch.script(STEPS, nonce), timeout=timeout)
    stdout, stderr = (text.encode("utf-8", "surrogatepass") for text in (done.stdout, done.stderr))
    outputs = batch.split(stdout, stderr, nonce, STEPS)
    if not outputs:
        words = brief(next((line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()), "nothing"))
        raise ConnectionLost(
            f"{transport.host} ran none of the commands and said: {words}: is its login shell able to run `sh -s`?"
        )
    return parse(outputs)
