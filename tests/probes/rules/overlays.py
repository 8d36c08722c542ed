"""Ways to damage a healthy world, and a diagnosis laid out flat."""

from collections.abc import Callable, Iterable

import msgspec

from probes.model.network import Link, NodeNetwork
from probes.model.snapshot import Snapshot
from probes.rules.diagnose import diagnose
from probes.rules.finding import Finding
from tests.probes.worlds import with_network, with_node

World = Callable[[Snapshot], Snapshot]


def flat(findings: Iterable[Finding]) -> list[Finding]:
    """List findings and all that is folded beneath them."""
    return [one for finding in findings for one in (finding, *flat(finding.symptoms))]


def told(snapshot: Snapshot) -> set[tuple[str, str]]:
    """Tell code and subject of everything that is found."""
    return {(f.code, f.subject.name) for f in flat(diagnose(snapshot).findings)}


def net(world: Snapshot, name: str) -> NodeNetwork:
    return world.networks[name]


def link(name: str, ifname: str, **changes: object) -> World:
    """Change a link; ``vxlan`` may be a dict of changes of its attributes."""

    def change(one: Link) -> Link:
        if one.ifname != ifname:
            return one
        vxlan = changes.get("vxlan")
        fields = dict(changes)
        if isinstance(vxlan, dict) and one.vxlan is not None:
            fields["vxlan"] = msgspec.structs.replace(one.vxlan, **vxlan)
        return msgspec.structs.replace(one, **fields)

    return lambda world: with_network(world, name, links=tuple(change(one) for one in net(world, name).links or ()))


def unlink(name: str, ifname: str) -> World:
    """Take a link away."""
    return lambda world: with_network(
        world, name, links=tuple(one for one in net(world, name).links or () if one.ifname != ifname)
    )


def add_link(name: str, added: Link) -> World:
    return lambda world: with_network(world, name, links=(*(net(world, name).links or ()), added))


def entries(name: str, field: str, keep: Callable[[object], bool] = lambda _: True, **changes: object) -> World:
    """Drop the entries of a table that are not to be kept, and change the others."""

    def changed(world: Snapshot) -> Snapshot:
        table = [msgspec.structs.replace(e, **changes) for e in getattr(net(world, name), field) if keep(e)]
        return with_network(world, name, **{field: tuple(table)})

    return changed


def facts(name: str, **changes: object) -> World:
    return lambda world: with_network(world, name, **changes)


def kube(name: str, **changes: object) -> World:
    return lambda world: with_node(world, name, **changes)


def flannel(name: str, **changes: object) -> World:
    return lambda world: with_node(world, name, flannel=msgspec.structs.replace(world.nodes[name].flannel, **changes))


def env(name: str, **changes: object) -> World:
    def changed(world: Snapshot) -> Snapshot:
        old = net(world, name).subnet_env
        assert old is not None
        return with_network(world, name, subnet_env=msgspec.structs.replace(old, **changes))

    return changed


def unit(name: str, **changes: object) -> World:
    def changed(world: Snapshot) -> Snapshot:
        old = net(world, name).unit
        assert old is not None
        return with_network(world, name, unit=msgspec.structs.replace(old, **changes))

    return changed


def both(*worlds: World) -> World:
    def changed(world: Snapshot) -> Snapshot:
        for one in worlds:
            world = one(world)
        return world

    return changed
