"""git over HTTP and SSH: what is asked of a repository, and what comes back. Pure.

Over HTTP: info/refs as Flux asks for it, then the newest commit alone (a shallow clone), which is what
source-controller fetches. Where a host has git, its git clones into a temporary folder; where it has none, curl posts
the same request (gitprotocol-v2) and lets the pack go. Over SSH: banner and host keys, nothing more.
"""

import re
from typing import Final
from urllib.parse import urljoin, urlsplit

from msgspec.structs import replace

from probes.model.observation import Completed
from probes.model.text import clean
from probes.reach.http import Exchange, Version
from probes.reach.request import Answer, Request

SERVICE: Final = "git-upload-pack"
REFS: Final = "refs"
CLONE: Final = "clone"
LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a pack that a clone may write."""
STOPPED: Final = f"stopped at {LARGEST // 2**20} MiB, which are enough to judge a way by"
HOPS: Final = 5
"""Redirects that are followed."""
_ADVERTISEMENT: Final = f"application/x-{SERVICE}-advertisement"
_RESULT: Final = f"application/x-{SERVICE}-result"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_TWO: Final = ("Git-Protocol", "version=2")
_HEAD: Final = re.compile(r"[0-9a-f]{4}([0-9a-f]{40,64}) HEAD")
_NO_FOLDER, _MISSING, _TIMED_OUT = 97, 127, 124
_RECEIVED: Final = re.compile(r"Receiving objects: +([0-9]+)% \([0-9/]+\)(?:, ([0-9.]+ [KMG]?i?B))?")
_TOO_LARGE: Final = "File too large"
"""What git says where it may not write on, as the signal that says so is ignored (setrlimit(2), RLIMIT_FSIZE)."""

# A folder of its own, which goes with the script however that ends: traps stand before it is made, and whatever git
# started has ended before it goes. `timeout` ends git with all that it started, which is its process group, also where
# nobody is left to do so. What a crash left of earlier folders goes first. ulimit counts 512 bytes.
_SCRIPT: Final = r"""umask 077
command -v git >/dev/null 2>&1 || exit 127
t=${TMPDIR:-/tmp}
find "$t" -maxdepth 1 -type d -name 'underlay-git.*' -user "$(id -u)" -mmin +15 -exec rm -rf {} + 2>/dev/null
d= e=
trap '[ -z "$d" ] || rm -rf "$d"' EXIT
trap '[ -z "$e" ] && [ -n "$!" ] && { kill -TERM "$!"; wait "$!"; kill -KILL "-$!"; } 2>/dev/null; exit 98' \
  HUP INT TERM PIPE
d=$(mktemp -d "$t/underlay-git.XXXXXXXXXX") || exit 97
trap '' XFSZ
ulimit -f "$4"
unset http_proxy https_proxy all_proxy HTTPS_PROXY ALL_PROXY GIT_DIR GIT_WORK_TREE GIT_TRACE GIT_CURL_VERBOSE
export HOME="$d" XDG_CONFIG_HOME="$d" GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_ASKPASS=true no_proxy='*' LC_ALL=C
[ -z "$SSL_CERT_FILE" ] || export GIT_SSL_CAINFO="$SSL_CERT_FILE"
now() { { read -r s _ </proc/uptime || s=$(date +%s); } 2>/dev/null; echo "$s"; }
b=$(now)
timeout -k 2 "$3" git -c http.version="HTTP/$2" -c credential.helper= -c http.proxy= -c http.followRedirects=false \
  -c protocol.allow=never -c protocol.http.allow=always -c protocol.https.allow=always -c fetch.unpackLimit=1 \
  -c gc.auto=0 -c maintenance.auto=false -c core.hooksPath=/dev/null -c http.userAgent=git/underlay \
  clone --progress --bare --depth 1 --single-branch --no-tags --template= -- "$1" "$d/r" >"$d/said" 2>&1 &
wait "$!"
c=$? e=ended
echo "took $b $(now)"
echo "pack $(cat "$d"/r/objects/pack/*.pack 2>/dev/null | wc -c)"
echo "head $(git -C "$d/r" rev-parse HEAD 2>/dev/null)"
tr '\r' '\n' <"$d/said" | grep -v '^remote: ' | tail -n 12
exit "$c"
"""


def info_refs(url: str, version: Version) -> Request:
    """Ask which refs there are, in the old protocol, as go-git does."""
    return Request(f"{url.rstrip('/')}/info/refs?service={SERVICE}", version)


def redirected(url: str, answer: Answer) -> str:
    """Give the repository's URL that an answer to ``info_refs`` points on to; empty where it points nowhere."""
    to = answer.headers.get("location", "")
    if answer.status not in _REDIRECTS or not to:
        return ""
    whole = urljoin(f"{url.rstrip('/')}/info/refs", to).partition("?")[0]
    fine = whole.startswith(("http://", "https://")) and whole.endswith("/info/refs")
    return whole.removesuffix("/info/refs") if fine else ""


def is_repository(answer: Answer) -> bool:
    """Whether an answer to ``info_refs`` comes from a git server that speaks smart HTTP."""
    return answer.status == 200 and answer.headers.get("content-type", "").startswith(_ADVERTISEMENT)  # noqa: PLR2004


def refs_phase(answer: Answer) -> Exchange:
    """Give the exchange of info/refs, with first byte and body put together as ``refs``."""
    each = answer.exchange
    seconds = {phase: took for phase, took in each.seconds.items() if phase in {"dns", "connect", "tls"}}
    rest = [took for phase, took in each.seconds.items() if phase not in seconds]
    if not each.failed and not each.unable:
        seconds[REFS] = sum(rest)
    failed = each.failed if each.failed in {"", "dns", "connect", "tls"} else REFS
    return replace(each, seconds=seconds, failed=failed)


def cloning(url: str, version: Version, seconds: float) -> tuple[str, ...]:
    """Give the command that clones a repository's newest commit and removes it again, within ``seconds``.

    ``url`` has neither user nor password: it stands among the host's processes.
    """
    return ("sh", "-c", _SCRIPT, "sh", url, version, f"{seconds:g}", str(LARGEST // 512))


def cloned(completed: Completed, before: Exchange, seconds: float) -> Exchange:
    """Read what came of ``cloning``, as one exchange with what came before it."""
    words = {key: rest.split() for key, _, rest in (line.partition(" ") for line in completed.stdout.splitlines())}
    code = completed.returncode
    if code == _MISSING:
        return replace(before, unable="there is no git there")
    if code == _NO_FOLDER:
        return replace(before, unable="no temporary folder can be made there")
    took = _numbers(words.get("took", []))
    if len(took) != 2:  # noqa: PLR2004 - begin and end
        return replace(before, unable=f"git's answer was cut off: {clean(' '.join(completed.stdout.split()))[:120]}")
    spent = max(0.0, took[1] - took[0])
    if code == 0:
        pack = int(_numbers(words.get("pack", []))[0]) if words.get("pack") else 0
        return replace(before, seconds=before.seconds | {CLONE: spent}, body=pack)
    if _TOO_LARGE in completed.stdout:
        return replace(before, seconds=before.seconds | {CLONE: spent}, body=LARGEST, reason=STOPPED)
    return replace(before, failed=CLONE, reason=_why(completed, seconds))


def _why(completed: Completed, seconds: float) -> str:
    """Say why a clone failed, in git's own words where it has any."""
    lines = [line.strip() for line in completed.stdout.splitlines()]
    said = next((line for line in lines if line.startswith("error: ")), "")
    said = said or next((line for line in lines if line.startswith("fatal: ")), "")
    if said and completed.returncode != _TIMED_OUT:
        return clean(said.removeprefix("error: ").removeprefix("fatal: "))[:200]
    received = _RECEIVED.findall(completed.stdout)
    so_far = f"{received[-1][0]} % of the objects" if received else "nothing"
    amount = f", {received[-1][1]}" if received and received[-1][1] else ""
    return f"no end within {seconds:g} s: {so_far}{amount} received by then"


def ls_refs(url: str, version: Version) -> Request:
    """Ask what HEAD is, in protocol 2."""
    body = _packet("command=ls-refs\n") + "0001" + _packet("ref-prefix HEAD\n") + "0000"
    return Request(f"{url.rstrip('/')}/{SERVICE}", version, "POST", _posting(), body, keep=4096)


def head_of(answer: Answer) -> str:
    """Read the answer to ``ls_refs``: the commit that HEAD names; empty where none came."""
    found = _HEAD.search(answer.text) if answer.status == 200 else None  # noqa: PLR2004 - OK
    return found[1] if found else ""


def fetching(url: str, version: Version, commit: str) -> Request:
    """Ask for one commit alone, as a shallow clone does."""
    asked = ("no-progress\n", f"want {commit}\n", "deepen 1\n", "done\n")
    body = _packet("command=fetch\n") + "0001" + "".join(map(_packet, asked)) + "0000"
    return Request(f"{url.rstrip('/')}/{SERVICE}", version, "POST", _posting(), body)


def fetched(answer: Answer, before: Exchange) -> Exchange:
    """Read the answer to ``fetching``, as one exchange with what came before it."""
    each = answer.exchange
    if each.unable:
        return replace(before, unable=each.unable)
    if each.failed:
        return replace(before, failed=CLONE, reason=each.reason)
    if not answer.headers.get("content-type", "").startswith(_RESULT):
        return replace(before, failed=CLONE, reason=f"the server answers {answer.status} where a pack is due")
    return replace(before, seconds=before.seconds | {CLONE: each.total}, body=each.body)


def spelled(url: str) -> str:
    """Write an http URL as it is asked for: without user, password, query and fragment; raises ValueError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or parts.scheme not in {"http", "https"}:
        raise ValueError(f"{url[:60]!r} is no http URL")
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _posting() -> tuple[tuple[str, str], ...]:
    return (("Content-Type", f"application/x-{SERVICE}-request"), ("Accept", _RESULT), _TWO)


def _packet(text: str) -> str:
    """Write a pkt-line (gitprotocol-common): its length in four hexadecimal digits, these included."""
    return f"{len(text) + 4:04x}{text}"


def _numbers(words: list[str]) -> list[float]:
    try:
        return [float(word) for word in words]
    except ValueError:
        return []
