"""The nodes' SSH servers: the batch, single commands, live monitors, and who is let in."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab import incident, shell
from lab.cluster import LabCluster
from lab.network_commands import PROGRAMS
from lab.world import World
from probes.collectors import batch
from probes.collectors.node import STEPS, parse
from probes.model.network import NodeNetwork, PodNetns
from tests.lab.clients import connect, until

NONCE = "0123456789abcdef" * 2


async def login(cluster: LabCluster, name: str) -> asyncssh.SSHClientConnection:
    """Log in as ssh does with the cluster's own files."""
    return await asyncssh.connect(name, config=str(cluster.ssh_config), agent_path=None)


@pytest.fixture
async def gimli(cluster: LabCluster) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """Connect to one node."""
    connection = await login(cluster, "gimli")
    yield connection
    connection.close()
    await connection.wait_closed()


async def ask(connection: asyncssh.SSHClientConnection) -> tuple[dict[str, int], NodeNetwork]:
    """Send the batch as underlay does: the return code of each step that ran, and the facts."""
    script = batch.script(STEPS, NONCE)
    done = await connection.run("sh -s", input=script, encoding=None, timeout=10)
    assert isinstance(done.stdout, bytes)
    assert isinstance(done.stderr, bytes)
    outputs = batch.split(done.stdout, done.stderr, NONCE, STEPS)
    return {name: completed.returncode for name, completed in outputs.items()}, parse(outputs)


async def test_every_step_of_the_batch_is_answered(cluster: LabCluster, gimli: asyncssh.SSHClientConnection) -> None:
    """No command of the batch is unknown to the demo's nodes, and no fact of a healthy node is left unassessed."""
    codes, node = await ask(gimli)
    assert cluster.node_writes == {}
    assert not [name for name, code in codes.items() if code == 127]
    assert {step.name for step in STEPS if not step.orelse} <= set(codes)
    assert node.unassessed == {}
    assert node.host is not None
    assert (node.host.hostname, node.host.k3s_version) == ("gimli", "v1.34.1+k3s1")
    assert node.unit is not None
    assert (node.unit.name, node.unit.active_state, node.unit.kill_mode) == ("k3s-agent", "active", "process")


async def test_what_the_batch_says_is_the_world(cluster: LabCluster, gimli: asyncssh.SSHClientConnection) -> None:
    """Links, triples, the 8472 socket, subnet.env and pods read over SSH equal the world's, field by field."""
    _, node = await ask(gimli)
    machine = cluster.world.nodes["gimli"]
    assert node.links is not None
    assert {link.ifname: link.mtu for link in node.links} == {n: link.mtu for n, link in machine.kernel.links.items()}
    vxlan = next(link.vxlan for link in node.links if link.ifname == "flannel.1")
    assert vxlan is not None
    assert (vxlan.vni, vxlan.local, vxlan.underlay, vxlan.port, vxlan.learning) == (
        1,
        "192.0.2.12",
        "enp1s0",
        8472,
        False,
    )
    assert {(e.mac, e.dst) for e in node.fdb or ()} == {(e.mac, e.dst) for e in machine.kernel.fdb.values()}
    assert {n.dst: n.lladdr for n in node.neighbors or ()} == {
        n.dst: n.lladdr for n in machine.kernel.neighbors.values()
    }
    assert {r.dst for r in node.routes or ()} == {r.dst for r in machine.kernel.routes.values()}
    assert 8472 in {socket.port for socket in node.udp or ()}
    env = machine.overlay.subnet_env
    assert env is not None
    assert node.subnet_env is not None
    assert (node.subnet_env.mtu, node.subnet_env.written_at) == (env.mtu, float(int(env.written_at)))
    found: tuple[PodNetns, ...] = node.pod_netns or ()
    assert {(p.name, p.netnsid, p.mtu, p.addresses[0].local) for p in found} == {
        (p.name, p.nsid, p.mtu, p.ip) for p in machine.overlay.pods
    }


async def test_missing_device_reads_as_missing() -> None:
    """In the incident the node without flannel.1 answers with its device, port and routes gone, all else assessed."""
    async with LabCluster("flannel-missing-after-upgrade") as cluster:
        connection = await login(cluster, "eq14-001")
        _, node = await ask(connection)
        connection.close()
    assert node.links is not None
    assert "flannel.1" not in {link.ifname for link in node.links}
    assert 8472 not in {socket.port for socket in node.udp or ()}
    assert "links" not in node.unassessed


async def test_stale_copies_are_found() -> None:
    """A copy of subnet.env that a backup service left is found with its MTU."""
    async with LabCluster("flux-http2-vxlan") as cluster:
        connection = await login(cluster, "boromir")
        _, node = await ask(connection)
        connection.close()
    assert [(copy.path, copy.mtu) for copy in node.subnet_env_copies or ()] == [
        ("/var/lib/flannel-backup/subnet.env", 1450)
    ]


async def test_user_without_sudo_is_told_in_sudo_s_words(cluster: LabCluster) -> None:
    """A login that is not root and may not sudo gets what needs root refused as sudo refuses it."""
    machine = cluster.world.nodes["gimli"]
    machine.shape = replace(machine.shape, user="ops", sudo=False)
    connection = await login(cluster, "gimli")
    codes, node = await ask(connection)
    changed = await connection.run("ip link set dev flannel.1 mtu 1400")
    connection.close()
    assert codes["pods"] == codes["copies"] == 1
    assert "pod_netns" in node.unassessed
    assert node.links is not None
    assert (changed.returncode, changed.stderr) == (2, "RTNETLINK answers: Operation not permitted\n")


async def test_unknown_command_is_127(gimli: asyncssh.SSHClientConnection) -> None:
    """A program that is not there is reported as a shell does."""
    done = await gimli.run("frobnicate --all")
    assert (done.returncode, done.stderr) == (127, "sh: 1: frobnicate: not found\n")


async def test_monitor_tells_each_change_as_it_happens(
    cluster: LabCluster, gimli: asyncssh.SSHClientConnection
) -> None:
    """``ip -o monitor`` and ``bridge monitor fdb`` print a line when the world changes, in iproute2's form."""
    machine = cluster.world.nodes["gimli"]
    before = len(machine.listeners)
    links = await gimli.create_process("ip -o monitor link address route neigh")
    fdb = await gimli.create_process("bridge monitor fdb")
    await until(lambda: len(machine.listeners) == before + 2)
    machine.kernel.set_mtu("flannel.1", 1400)
    mac = machine.kernel.neighbors[("flannel.1", "10.42.0.0")].lladdr
    machine.kernel.drop_fdb(mac, "flannel.1")
    async with asyncio.timeout(5):
        assert (await links.stdout.readline()).startswith(
            "3: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UNKNOWN"
        )
        assert await fdb.stdout.readline() == f"Deleted {mac} dev flannel.1 dst 192.0.2.11 self permanent\n"
    links.close()
    fdb.close()
    await until(lambda: len(machine.listeners) == before)


async def test_commands_change_the_world(cluster: LabCluster, gimli: asyncssh.SSHClientConnection) -> None:
    """What an operator types on a node takes effect, with the kernel's refusals, and a restart waits for its end."""
    cluster.world.seconds_per_restart = 0.05
    machine = cluster.world.nodes["gimli"]
    assert (await gimli.run("ip link set dev flannel.1 mtu 1500")).stderr == "RTNETLINK answers: Invalid argument\n"
    assert (await gimli.run("ip link set dev flannel.1 mtu 1400")).returncode == 0
    assert machine.kernel.links["flannel.1"].mtu == 1400
    assert (await gimli.run("ip link del flannel.1")).returncode == 0
    assert [argv[:3] for argv in cluster.node_writes["gimli"]][-1] == ("ip", "link", "del")
    absent = await gimli.run("ip link show flannel.1")
    assert (absent.returncode, absent.stderr) == (1, 'Device "flannel.1" does not exist.\n')
    before = machine.unit.invocation_id
    assert (await gimli.run("systemctl restart k3s-agent")).returncode == 0
    assert machine.unit.invocation_id != before
    assert machine.flannel is not None
    wrong = await gimli.run("systemctl restart k3s")
    assert (wrong.returncode, wrong.stderr) == (5, "Failed to restart k3s.service: Unit k3s.service not found.\n")


async def test_only_server_s_restart_is_an_api_outage(cluster: LabCluster, gimli: asyncssh.SSHClientConnection) -> None:
    """While the only server restarts, watches are cut and requests fail; an agent's restart is no outage."""
    cluster.world.seconds_per_restart = 0.3
    client = await connect(cluster)
    async with client.session.get(client.base + "/api/v1/nodes?watch=true&resourceVersion=0") as response:
        for _ in range(3):
            await response.content.readline()
        await gimli.run("systemctl restart k3s-agent")
        assert (await client.get("/api/v1/nodes"))[0] == 200
        server = await login(cluster, "galadriel")
        restart = await server.create_process("systemctl restart k3s")
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
        with pytest.raises(aiohttp.ClientError):
            await client.get("/api/v1/nodes")
        assert (await restart.wait()).returncode == 0
    assert (await client.get("/api/v1/nodes"))[0] == 200
    server.close()
    await client.session.close()


@given(
    st.lists(
        st.sampled_from(
            [*PROGRAMS, "-j", "-s", "-c", "-p", "link", "set", "dev", "flannel.1", "mtu", "show", "netns", "exec"]
        )
        | st.text(max_size=6),
        max_size=7,
    )
)
def test_no_command_line_breaks_a_node(argv: list[str]) -> None:
    """Whatever is typed, a node answers with an exit status and never with a traceback."""
    world = incident.build(incident.load("healthy"), World())
    world.seconds_per_restart = 0.0
    if "ping" not in argv:
        done = asyncio.run(shell.run_argv(world, world.nodes["gimli"], tuple(argv)))
        assert 0 <= done.rc <= 255


async def test_ping_answers_by_size(cluster: LabCluster, gimli: asyncssh.SSHClientConnection) -> None:
    """From a pod's namespace 1422 bytes of payload pass, 1423 its own kernel refuses, and a hole is silent."""
    world = cluster.world
    pod = world.nodes["gimli"].overlay.pods[0]
    target = world.nodes["legolas"].overlay.pods[0].ip
    inside = f"ip netns exec {pod.name} ping -n -M do -c1 -W0.01 -s"
    assert f"1430 bytes from {target}" in str((await gimli.run(f"{inside} 1422 {target}")).stdout)
    told = await gimli.run(f"{inside} 1423 {target}")
    assert (told.returncode, told.stderr) == (1, "ping: local error: message too long, mtu=1450\n")
    world.delete_link("legolas", "flannel.1")
    silent = await gimli.run(f"{inside} 56 {target}")
    assert silent.returncode == 1
    assert "0 received, 100% packet loss" in str(silent.stdout)
    assert world.nodes["legolas"].counters["UdpNoPorts"] == 1


async def test_only_the_demo_s_key_is_let_in(cluster: LabCluster) -> None:
    """Another key, and a host key that is not in known_hosts, are both refused."""
    port = cluster.ports["gimli"]
    key = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(
            "127.0.0.1", port, username="root", client_keys=[key], known_hosts=str(cluster.known_hosts), config=None
        )
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await asyncssh.connect("127.0.0.1", port, username="root", known_hosts=([], [], []), config=None)


async def test_json_is_iproute2_s(gimli: asyncssh.SSHClientConnection) -> None:
    """Each JSON command prints one line of the keys that iproute2 6.1 prints."""
    link = json.loads(str((await gimli.run("ip -j -d -s link show flannel.1")).stdout))[0]
    assert list(link)[:8] == ["ifindex", "ifname", "flags", "mtu", "qdisc", "operstate", "linkmode", "group"]
    assert link["linkinfo"]["info_data"]["df"] == "unset"
    assert set(link["stats64"]["tx"]) == {"bytes", "packets", "errors", "dropped", "carrier_errors", "collisions"}
    fdb = json.loads(str((await gimli.run("bridge -j fdb show dev flannel.1")).stdout))
    assert [list(entry) for entry in fdb] == [["mac", "dst", "flags", "state"]] * 2
    routes = json.loads(str((await gimli.run("ip -j route show table main")).stdout))
    onlink = [route for route in routes if route["flags"] == ["onlink"]]
    assert [list(route) for route in onlink] == [["dst", "gateway", "dev", "flags"]] * 2


async def test_the_journal_tells_starts_of_the_unit() -> None:
    """``journalctl -u`` has the start that the unit shows, then each restart; another unit has no entries."""
    async with LabCluster("healthy") as lab:
        gimli = lab.world.nodes["gimli"]
        argv = ("journalctl", "-u", "k3s-agent", "-n", "200", "--no-pager", "-o", "short-iso")
        before = await shell.run_argv(lab.world, gimli, argv)
        lab.world.restart_unit("gimli")
        lab.world.restart_unit("gimli")
        after = await shell.run_argv(lab.world, gimli, argv)
        other = await shell.run_argv(lab.world, gimli, ("journalctl", "-u", "k3s", "-n", "5"))
    assert "gimli systemd[1]: Started k3s-agent.service" in before.out
    assert (before.out.count("Started"), after.out.count("Started")) == (1, 2)
    assert other.out == "-- No entries --\n"
