"""Pods that the operator names as vantages, ``--from exec:NAMESPACE/POD``: a command is started in each."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from probes.kube.errors import ApiError
from probes.kube.kubeconfig import read
from probes.model.snapshot import Snapshot
from probes.vantage import Vantage
from tui.cli.arguments import Arguments
from tui.cli.place import Place, PlaceError

if TYPE_CHECKING:
    from probes.kube.podsocket import PodSockets

EXEC: Final = "exec:"


@asynccontextmanager
async def named_pods(arguments: Arguments, place: Place, snapshot: Snapshot) -> AsyncIterator[tuple[Vantage, ...]]:
    """Give the pods that the command line names; their connections last for as long as this is entered."""
    names = [each.removeprefix(EXEC) for each in arguments.senders if each.startswith(EXEC)]
    if not names:
        yield ()
        return
    from probes.kube.podsocket import PodSockets  # noqa: PLC0415 - start-up is measured

    try:
        kubeconfig = read(place.kubeconfig)
        context = kubeconfig.context(place.context or None)
    except ApiError as error:
        raise PlaceError(str(error)) from error
    sockets = PodSockets(context, lambda: kubeconfig.reread().context(context.name))
    try:
        yield tuple(_vantage(name, snapshot, sockets) for name in names)
    finally:
        await sockets.close()


def _vantage(named: str, snapshot: Snapshot, sockets: "PodSockets") -> Vantage:
    namespace, _, name = named.partition("/")
    known = [each for each in snapshot.pods.values() if (each.namespace, each.name) == (namespace, name)]
    if snapshot.pods and not known:
        raise PlaceError(f"the cluster has no pod {named}: give exec:NAMESPACE/POD")
    node = known[0].node if known else ""
    address = known[0].ips[0] if known and known[0].ips else ""
    from probes.transports.pod_exec import PodExecTransport  # noqa: PLC0415 - start-up is measured

    transport = PodExecTransport(named, partial(sockets.dial, namespace, name))
    return Vantage("pod", f"{EXEC}{named}", transport, node=node, address=address, pod=named)
