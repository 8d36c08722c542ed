"""HTTP by a host's own curl: the command, and what it says."""

import re
from typing import Final

from probes.model.observation import Completed
from probes.model.text import clean
from probes.reach.http import BODY, PHASES, Exchange, Version
from probes.reach.request import MOST, Answer, Request

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
_KEPT_RATE: Final = "256k"
"""Likewise for a body that is sent on to this machine."""
_HEAD: Final = re.compile(r"HTTP/[0-9.]+ [0-9]{3}[^\n]*\n")
_COMPLAINT: Final = "curl: ("


def command(url: str, version: Version, seconds: float) -> tuple[str, ...]:
    """Give the command that asks for the first 128 KiB of a URL by one version of HTTP.

    No configuration file, no proxy, no redirect, nothing kept; ends by itself after ``seconds``.
    """
    return (
        *("curl", "-q", "-sS", "-o", "/dev/null", "--noproxy", "*", f"--http{version}", "-r", f"0-{BODY - 1}"),
        *("--max-time", f"{seconds:g}", "--limit-rate", _RATE, "--max-filesize", str(64 * BODY)),
        *("-A", "underlay", "-w", f"\\n{_MARK} " + " ".join(f"%{{{each}}}" for each in _FIELDS) + "\\n", "--", url),
    )


def asking(request: Request, seconds: float) -> tuple[tuple[str, ...], str]:
    """Give the command of a request and what it reads; the URL, headers and body stand in what it reads alone.

    What comes back are the headers, then as much of the body as is to be kept; ends by itself after ``seconds``.
    """
    method = {"GET": (), "HEAD": ("--head",), "POST": ("-X", "POST")}[request.method]
    kept = ("-o", "-" if request.keep and request.method != "HEAD" else "/dev/null")
    argv = (
        *("curl", "-q", "-sS", "-D", "-", *kept, *method, "--noproxy", "*", f"--http{request.version}"),
        *(("-r", f"0-{request.first - 1}") if request.first else ()),
        *("--max-time", f"{seconds:g}", "--limit-rate", _KEPT_RATE if request.keep else _RATE),
        *("--max-filesize", str(request.keep or MOST), "-A", "underlay"),
        *("-w", f"\\n{_MARK} " + " ".join(f"%{{{each}}}" for each in _FIELDS) + "\\n", "-K", "-"),
    )
    lines = [("url", request.url), *(("header", f"{name}: {value}") for name, value in request.headers)]
    lines += [("data-raw", request.body)] if request.method == "POST" else []
    return argv, "".join(f"{name} = {_quoted(value)}\n" for name, value in lines)


def _quoted(text: str) -> str:
    """Write a value of curl's configuration (curl(1), -K): within quotes these five have to be escaped."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(plain, escaped)
    return f'"{text}"'


def answered(completed: Completed, request: Request) -> Answer:
    """Read what came of a request."""
    said, mark, rest = completed.stdout.rpartition(f"{_MARK} ")
    head, body = _heads(said) if mark else ({}, "")
    complaint = next((line for line in reversed(said.splitlines()) if line.startswith(_COMPLAINT)), "")
    told = f"{complaint}\n{mark}{rest}" if mark else completed.stdout
    short = Completed(completed.argv, completed.returncode, told)
    exchange = parse(short, request.version, tls=request.url.startswith("https:"))
    body = body.rpartition(f"\n{complaint}")[0] if complaint else body.removesuffix("\n")
    return Answer(exchange, head, body[: request.keep])


def _heads(said: str) -> tuple[dict[str, str], str]:
    """Take the headers of the last answer off what curl printed; an interim answer (1xx) comes before it."""
    head: dict[str, str] = {}
    rest = said
    while _HEAD.match(rest):
        lines, _, rest = rest.replace("\r\n", "\n").partition("\n\n")
        pairs = (line.partition(":") for line in lines.split("\n")[1:])
        head = {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}
    return head, rest


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
