"""An image pull by a node's own containerd: what a pull says, and what several come to. Pure: it cannot start one.

Pulling writes to the image store of a node, so what starts pulls is not among the probes (runbooks.pulls). The texts
are containerd's and cri-tools'.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from probes.model.observation import Completed
from probes.model.reach import Attempt
from probes.model.text import clean
from probes.reach.registry import Verdict

SLOW_SECONDS: Final = 60.0
PULL: Final = "pull"
_MISSING, _TIMED_OUT = 127, 124
_UP_TO_DATE: Final = "Image is up to date for"
_CLASSES: Final = (
    # (in the text, the phase it failed in, the word for a refusal of the registry)
    ("TLS handshake timeout", "tls", ""),
    ("x509:", "tls", ""),
    ("server gave HTTP response to HTTPS client", "tls", ""),
    ("no such host", "dns", ""),
    ("server misbehaving", "dns", ""),
    ("connection refused", "connect", ""),
    ("no route to host", "connect", ""),
    ("network is unreachable", "connect", ""),
    ("429 Too Many Requests", "", "rate-limited"),
    ("toomanyrequests", "", "rate-limited"),
    ("pull access denied", "", "denied"),
    ("insufficient_scope", "", "denied"),
    ("failed to authorize", "token", ""),
    ("httpReadSeeker", "blob", ""),
    ("failed to copy", "blob", ""),
    ("unexpected EOF", "blob", ""),
    ("failed to do request: Head", "manifest", ""),
    ("not found", "", "no-image"),
    ("context canceled", "blob", ""),
    ("context deadline exceeded", "blob", ""),
)
_LOOKUP: Final = ("lookup ", "i/o timeout")
_DIAL: Final = ("dial tcp", "i/o timeout")


def read(completed: Completed, seconds: float) -> Attempt:
    """Read what a pull said."""
    lines = completed.stdout.splitlines()
    spent = _spent(lines)
    said = " ".join(line for line in lines if not line.startswith(("took ", "present")))
    if completed.returncode == _MISSING or "command not found" in said:
        return Attempt(variant=PULL, unable="there is no k3s and no crictl there")
    if "sudo:" in said and "password" in said:
        return Attempt(variant=PULL, unable="pulling needs root there, and sudo asks for a password")
    variant = "pull of an image that was there" if "present" in lines else PULL
    if completed.returncode == 0 and _UP_TO_DATE in said:
        return Attempt(variant=variant, seconds={PULL: spent}, answer="ok")
    if completed.returncode == _TIMED_OUT:
        return Attempt(variant=variant, failed=PULL, reason=f"no end within {seconds:g} s", answer="ok")
    phase, word = classify(said)
    reason = clean(said.partition("desc = ")[2] or said)[:300] or f"crictl ended with {completed.returncode}"
    if word:
        return Attempt(variant=variant, answer=word, reason=reason)
    return Attempt(variant=variant, failed=phase, reason=reason, answer="ok")


def _spent(lines: Sequence[str]) -> float:
    words = next((line.split()[1:] for line in lines if line.startswith("took ")), [])
    try:
        return max(0.0, float(words[1]) - float(words[0]))
    except (IndexError, ValueError):
        return 0.0


def classify(text: str) -> tuple[str, str]:
    """Tell which stage a message of containerd is of, and its word where the registry refused: (phase, word)."""
    if all(each in text for each in _LOOKUP):
        return "dns", ""
    if all(each in text for each in _DIAL):
        return "connect", ""
    return next(((phase, word) for mark, phase, word in _CLASSES if mark in text), (PULL, ""))


def judge(tries: Sequence[Attempt]) -> Verdict:
    """Say what the pulls of one image on one node come to."""
    sent = [each for each in tries if not each.unable]
    if not sent:
        return Verdict("unassessed", reason=next((each.unable for each in tries), "nothing was pulled"))
    lost = [each for each in sent if each.failed]
    phases = [each.failed for each in lost]
    phase = max(phases, key=phases.count) if phases else ""
    reason = next((each.reason for each in lost if each.failed == phase), "")
    found = Verdict("ok", phase, reason, len(sent), len(lost))
    replace = msgspec.structs.replace
    if lost:
        return replace(found, outcome="fails" if len(lost) == len(sent) else "random")
    if odd := [each for each in sent if each.answer != "ok"]:
        return replace(found, outcome=odd[0].answer, reason=odd[0].reason)
    if max(each.total for each in sent) >= SLOW_SECONDS:
        return replace(found, outcome="slow", phase=PULL)
    return found
