"""What flannel left on a node: subnet.env, copies of it that backup scripts made, and net-conf.json."""

import re
from typing import Final

import msgspec

from probes.collectors.batch import Step
from probes.collectors.links import MAX_PORT, MAX_VNI
from probes.collectors.reading import MAX_MTU, Outputs, Unreadable, brief, found, number, printed, within
from probes.model.network import NetConf, SubnetEnv
from probes.model.text import clean

SUBNET_ENV: Final = "/run/flannel/subnet.env"
NET_CONF: Final = "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json"

_LIKELY: Final = (
    "/run/flannel",
    "/var/lib",
    "/var/backups",
    "/etc",
    "/opt",
    "/usr/local",
    "/root",
    "/home",
    "/srv",
    "/mnt",
    "/backup",
    "/tmp",  # noqa: S108 - looked through, never written
)
_SHOW: Final = 'stat -c "%Y %n" "$1"; grep -H "^FLANNEL_" "$1" /dev/null'
STEPS: Final = (
    Step("subnet-env", ("cat", SUBNET_ENV)),
    Step("subnet-env-stat", ("stat", "-c", "%Y %n", SUBNET_ENV)),
    Step(
        "copies",
        (
            *("find", *_LIKELY, "-xdev", "-maxdepth", "4"),
            *("(", "-path", "/var/lib/rancher/k3s", "-o", "-path", "/var/lib/kubelet", ")", "-prune", "-o"),
            *("-type", "f", "-name", "*subnet*env*", "-size", "-16k"),
            *("-exec", "sh", "-c", _SHOW, "sh", "{}", ";"),
        ),
        timeout=10,
        root=True,
    ),
    Step("net-conf", ("cat", NET_CONF), root=True),
)

_STAT: Final = re.compile(r"([0-9]{1,12}) (/.+)")
_COPY: Final = re.compile(r"(/.+?):(FLANNEL_[A-Z0-9_]+=.*)")
_MAX_COPIES: Final = 200


class _RawBackend(msgspec.Struct):
    type: str = msgspec.field(default="", name="Type")
    vni: int | None = msgspec.field(default=None, name="VNI")
    port: int | None = msgspec.field(default=None, name="Port")
    mtu: int | None = msgspec.field(default=None, name="MTU")
    direct_routing: bool | None = msgspec.field(default=None, name="DirectRouting")


class _RawConf(msgspec.Struct):
    network: str = msgspec.field(default="", name="Network")
    ipv6_network: str = msgspec.field(default="", name="IPv6Network")
    ipv6: bool | None = msgspec.field(default=None, name="EnableIPv6")
    backend: _RawBackend | None = msgspec.field(default=None, name="Backend")


_CONF: Final = msgspec.json.Decoder(_RawConf)


def parse_subnet_env(outputs: Outputs) -> SubnetEnv | None:
    """Read subnet.env, None where the file is not there; raises Unreadable, also for an impossible MTU."""
    text = found(outputs, "subnet-env")
    if text is None:
        return None
    lines = text.splitlines()
    if text.strip() and not any(line.startswith("FLANNEL_") for line in lines):
        raise Unreadable(f"{SUBNET_ENV} holds no FLANNEL_ setting")
    return _subnet_env(SUBNET_ENV, lines, _times(outputs).get(SUBNET_ENV))


def parse_copies(outputs: Outputs) -> tuple[SubnetEnv, ...]:
    """Read the copies of subnet.env, by path; raises Unreadable. A copy with an impossible MTU is one without."""
    done = outputs.get("copies")
    if done is not None and done.returncode == 1 and not done.stdout.strip() and _only_absent(done.stderr):
        return ()
    written: dict[str, float] = {}
    lines: dict[str, list[str]] = {}
    for line in printed(outputs, "copies").splitlines():
        if stat := _STAT.fullmatch(line):
            written[stat[2]] = float(stat[1])
        elif copy := _COPY.fullmatch(line):
            lines.setdefault(copy[1], []).append(copy[2])
    lines.pop(SUBNET_ENV, None)
    copies = []
    for path in sorted(lines)[:_MAX_COPIES]:
        try:
            copies.append(_subnet_env(path, lines[path], written.get(path)))
        except Unreadable:
            copies.append(SubnetEnv(clean(path), written_at=written.get(path)))
    return tuple(copies)


def parse_net_conf(outputs: Outputs) -> NetConf | None:
    """Read net-conf.json, None where the file is not there; raises Unreadable."""
    text = found(outputs, "net-conf")
    if text is None:
        return None
    try:
        raw = _CONF.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"{NET_CONF} could not be understood: {brief(str(error))}") from error
    backend = raw.backend or _RawBackend()
    if backend.mtu and within(backend.mtu, 1, MAX_MTU) is None:
        raise Unreadable(f"{NET_CONF} sets an impossible MTU")
    return NetConf(
        network=clean(raw.network),
        ipv6_network="" if raw.ipv6 is False else clean(raw.ipv6_network),
        backend=clean(backend.type),
        vni=within(backend.vni, 0, MAX_VNI),
        port=within(backend.port, 0, MAX_PORT),
        mtu=backend.mtu or None,
        direct_routing=bool(backend.direct_routing),
    )


def _only_absent(stderr: str) -> bool:
    """Tell whether find complained of nothing but likely folders that do not exist."""
    lines = [line for line in stderr.splitlines() if line and not line.startswith("sudo: unable to resolve host")]
    return bool(lines) and all(
        line.startswith("find: ") and line.endswith("No such file or directory") for line in lines
    )


def _times(outputs: Outputs) -> dict[str, float]:
    """Read ``stat`` lines; what cannot be read has no time."""
    done = outputs.get("subnet-env-stat")
    text = done.stdout if done is not None and done.returncode == 0 else ""
    stats = (_STAT.fullmatch(line) for line in text.splitlines())
    return {stat[2]: float(stat[1]) for stat in stats if stat}


def _subnet_env(path: str, lines: list[str], written_at: float | None) -> SubnetEnv:
    pairs = (line.partition("=") for line in lines)
    values = {key.strip(): clean(value.strip().strip("\"'")) for key, _, value in pairs}
    mtu = values.get("FLANNEL_MTU", "")
    if mtu and number(mtu, 1, MAX_MTU) is None:
        raise Unreadable(f"{clean(path)} sets an impossible FLANNEL_MTU: {brief(mtu)}")
    return SubnetEnv(
        path=clean(path),
        network=values.get("FLANNEL_NETWORK", ""),
        subnet=values.get("FLANNEL_SUBNET", ""),
        mtu=number(mtu, 1, MAX_MTU),
        ipmasq={"true": True, "false": False}.get(values.get("FLANNEL_IPMASQ", "").lower()),
        ipv6_network=values.get("FLANNEL_IPV6_NETWORK", ""),
        ipv6_subnet=values.get("FLANNEL_IPV6_SUBNET", ""),
        written_at=written_at,
    )
