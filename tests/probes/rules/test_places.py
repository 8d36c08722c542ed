"""Places and pulls: kept from one diagnosis to the next only where no pod's change could move them."""

import msgspec
import pytest

from probes.model.kube import Container, Pod
from probes.model.snapshot import Snapshot
from probes.model.summary.pulls import summarize_pulls
from probes.rules.diagnose import diagnose
from probes.rules.places import places_of

PODS = {
    f"{pod.namespace}/{pod.name}": pod
    for pod in (
        Pod("kube-system", "coredns-1", node="frodo", phase="Running", app="kube-dns"),
        Pod("flux-system", "source-1", node="samwise", phase="Running", app="source-controller"),
        Pod("apps", "web-1", node="pippin", phase="Running", app="web", containers=(Container("web", "x/web:1"),)),
    )
}
CHANGES: dict[str, tuple[str, dict[str, object] | None]] = {
    "restarted": ("apps/web-1", {"containers": (Container("web", "x/web:1", restarts=4),)}),
    "moved": ("apps/web-1", {"node": "frodo"}),
    "leaving": ("kube-system/coredns-1", {"deleting": True}),
    "over": ("apps/web-1", {"phase": "Succeeded"}),
    "another app": ("apps/web-1", {"app": "source-controller"}),
    "not ready": ("kube-system/coredns-1", {"containers": (Container("coredns", "x/dns:1", ready=False),)}),
    "waits": ("apps/web-1", {"containers": (Container("web", "x/web:1", waiting_reason="ErrImagePull"),)}),
    "gone": ("flux-system/source-1", None),
    "another one": ("apps/web-2", {"name": "web-2", "node": "samwise"}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_kept_is_what_would_be_made(what: str) -> None:
    """After any change, and after it is undone, a diagnosis that knows the one before says what a new one would."""
    key, fields = CHANGES[what]
    changed = dict(PODS)
    if fields is None:
        del changed[key]
    else:
        changed[key] = msgspec.structs.replace(PODS.get(key, PODS["apps/web-1"]), **fields)
    first = diagnose(Snapshot(pods=PODS))
    then = diagnose(Snapshot(pods=changed), first)
    assert then.places == places_of(changed)
    assert then.pulls == summarize_pulls(Snapshot(pods=changed))
    back = diagnose(Snapshot(pods=dict(PODS)), then)
    assert back.places == places_of(PODS)
    assert back.pulls == ()
