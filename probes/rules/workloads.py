"""workloads: whether those run that everybody waits for: CoreDNS and the Flux controllers."""

from collections.abc import Iterator
from typing import Final

from probes.model.flux import ObjectRef
from probes.model.kube import Pod
from probes.rules.facts import MOST_EVIDENCE, listed
from probes.rules.finding import Evidence, Finding, Severity
from probes.rules.places import COREDNS_APPS, Places

START_GRACE: Final = 120.0
"""Seconds that a new pod may take to become ready: until then it is a note."""


def is_ready(pod: Pod) -> bool:
    """Tell whether a pod runs with every container ready; one whose containers are not told is taken at its phase."""
    return pod.phase == "Running" and all(container.ready for container in pod.containers)


def deployment_of(pod: Pod) -> ObjectRef:
    """Refer to the Deployment of a watched pod."""
    return ObjectRef("Deployment", pod.namespace, "coredns" if pod.app in COREDNS_APPS else pod.app)


def judge_workloads(places: Places, now: float, at: float | None) -> Iterator[Finding]:
    """Judge whether CoreDNS and the Flux controllers have ready pods; ``at``: when the API told its pods."""
    groups: dict[ObjectRef, list[Pod]] = {}
    for pod in places.watched:
        groups.setdefault(deployment_of(pod), []).append(pod)
    for subject, pods in groups.items():
        waiting = [pod for pod in pods if not is_ready(pod)]
        if waiting:
            yield _not_ready(subject, pods, waiting, now, at)


def _not_ready(subject: ObjectRef, pods: list[Pod], waiting: list[Pod], now: float, at: float | None) -> Finding:
    dns = subject.name == "coredns"
    young = all(pod.created_at is not None and now - pod.created_at <= START_GRACE for pod in waiting)
    some = len(waiting) < len(pods)
    bad = Severity.CRITICAL if dns and not some else Severity.WARNING
    where = sorted({pod.node for pod in waiting if pod.node})
    place = f" on {listed(where)}" if where else ", on no node yet"
    which = f"{len(waiting)} of {len(pods)} pods of {subject.name} are" if len(pods) > 1 else f"{subject.name} is"
    follows = "no name of the cluster is answered" if dns else "what it looks after stays as it is"
    if some:
        follows = "the others do its work"
    seen = [
        Evidence(f"kubectl -n {pod.namespace} get pod {pod.name}", _state(pod), "API", at)
        for pod in waiting[:MOST_EVIDENCE]
    ]
    return Finding(
        "coredns-not-ready" if dns else "flux-controller-not-ready",
        Severity.NOTE if young else bad,
        subject,
        f"{which} not ready{place}: {_state(waiting[0])}; {follows}",
        tuple(seen),
        "kubectl get pods shows it Running with all containers ready",
        detail=f"A new pod is given {START_GRACE:.0f} seconds before this is more than a note.",
        about=tuple(where[:MOST_EVIDENCE]),
    )


def _state(pod: Pod) -> str:
    """Say what a pod is waiting for."""
    for container in pod.containers:
        if not container.ready and container.waiting_reason:
            return f"{container.name} waits: {container.waiting_reason}"
    restarts = sum(container.restarts for container in pod.containers)
    return f"phase {pod.phase or 'unknown'}, {restarts} restarts"
