"""HTTP by a host's own curl: the command, and what it says."""

import re
from typing import Final

from probes.model.observation import Completed
from probes.model.text import clean
from probes.reach.http import BODY, PHASES, Exchange, Version

_MARK: Final = "underlay-curl"
_FIELDS: Final = (
    "http_code",
    "http_version",
    "remote_ip",
    "time_namelookup",
    "time_connect",
    "time_appconnect",
    "time_starttransfer",
    "time_total",
    "size_download",
)
_NAME, _TIMED_OUT, _TOO_LARGE, _NO_OPTION = 6, 28, 63, 2
_UNSUPPORTED: Final = 4
_CERTIFICATE: Final = 60
_HANDSHAKE: Final = frozenset({35, 51, 53, 54, 58, 59, _CERTIFICATE, 66, 77, 80, 82, 83, 90, 91})
"""libcurl's errors of TLS (curl/curl.h)."""
_AFTER: Final = re.compile(r" after [0-9]+ (?:ms|milliseconds)")
"""How long it took is told by the phases; without it equal reasons are equal."""
_RATE: Final = "2M"
"""Bytes a second at the most: with the time limit, what a body without an end can cost."""


def command(url: str, version: Version, seconds: float) -> tuple[str, ...]:
    """Give the command that asks for the first 128 KiB of a URL by one version of HTTP.

    No configuration file, no proxy, no redirect, nothing kept; ends by itself after ``seconds``.
    """
    return (
        *("curl", "-q", "-sS", "-o", "/dev/null", "--noproxy", "*", f"--http{version}", "-r", f"0-{BODY - 1}"),
        *("--max-time", f"{seconds:g}", "--limit-rate", _RATE, "--max-filesize", str(64 * BODY)),
        *("-A", "underlay", "-w", f"\\n{_MARK} " + " ".join(f"%{{{each}}}" for each in _FIELDS) + "\\n", "--", url),
    )


def parse(completed: Completed, asked: Version, *, tls: bool) -> Exchange:
    """Read what curl said, standard error included; ``tls``: whether the URL is https."""
    said, mark, rest = completed.stdout.rpartition(f"{_MARK} ")
    said, rest = (said, rest) if mark else (rest, "")
    fields = rest.partition("\n")[0].split(" ")  # the address is empty where there was none
    values = dict(zip(_FIELDS, fields, strict=False))
    reason = _AFTER.sub("", clean(" ".join(said.split()))[:200])
    code = completed.returncode
    if completed.missing or "No such file or directory" in said:
        return Exchange(asked, unable="there is no curl there")
    if code in {_NO_OPTION, _UNSUPPORTED}:
        return Exchange(asked, unable=f"its curl cannot speak HTTP/{asked}")
    if len(values) < len(_FIELDS):
        return Exchange(asked, unable=f"curl ended with status {code}: {reason or 'it gave no reason'}")
    marks = _marks(values, tls=tls)
    body = int(_number(values["size_download"]))
    address = clean(values["remote_ip"]) if "." in values["remote_ip"] or ":" in values["remote_ip"] else ""
    # curl knows the server's address once it is connected, but tells no time of that where TLS then stalls.
    done = {*marks, "connect"} if address else set(marks)
    failed = "" if code in {0, _TOO_LARGE} else _failed(code, done, tls=tls)
    previous = 0.0
    seconds: dict[str, float] = {}
    for phase in PHASES:
        at = marks.get(phase)
        if phase == failed:
            break
        if at is not None:
            seconds[phase] = max(0.0, at - previous)
            previous = max(previous, at)
    status = int(_number(values["http_code"]))
    version = values["http_version"]
    return Exchange(
        asked,
        spoken=clean(version) if status else "",
        status=status,
        address=address,
        seconds=seconds,
        body=body,
        failed=failed,
        reason=reason.removeprefix("curl: ") if failed else "",
    )


def _marks(values: dict[str, str], *, tls: bool) -> dict[str, float]:
    """Give when each phase was completed, in seconds since the start; curl says 0 of what never was."""
    names = {"dns": "time_namelookup", "connect": "time_connect", "first-byte": "time_starttransfer"}
    if tls:
        names["tls"] = "time_appconnect"
    marks = {phase: _number(values[name]) for phase, name in names.items()}
    return {phase: at for phase, at in marks.items() if at > 0} | {"transfer": _number(values["time_total"])}


def _failed(code: int, done: set[str], *, tls: bool) -> str:
    if code == _NAME:
        return "dns"
    if code in _HANDSHAKE:
        return "tls"
    return next((phase for phase in PHASES if phase not in done and (tls or phase != "tls")), "transfer")


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value < 2**40 else 0.0
