"""Plans: named sets of probes, repeated, with what counts as success. Pure.

The default asks what an image pull and a Flux source need, of the places where such pulls were seen to fail, and of the
cluster's own repositories.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

import msgspec

from probes.model.reach import WORST, Result, Tone

Kind = Literal["http", "git", "registry"]
URLS: Final = (
    "https://ghcr.io/v2/",
    "https://auth.docker.io/token",
    "https://registry-1.docker.io/v2/",
    "https://quay.io/v2/",
    "https://registry.k8s.io/v2/",
    "https://api.doppler.com/v3/projects",
)
IMAGES: Final = (
    "ghcr.io/fluxcd/helm-controller:v1.5.1",
    "oci.external-secrets.io/external-secrets/external-secrets:v2.1.0",
    "docker.io/rancher/mirrored-library-busybox:1.37.0",
    "ghcr.io/tailscale/tailscale:v1.96.5",
    "quay.io/prometheus/node-exporter:v1.8.2",
)
MOST_ROUNDS: Final = 100
MOST_SECONDS: Final = 600.0
_RANDOM: Final = "random"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One probe of a plan."""

    probe: Kind
    targets: tuple[str, ...] = ()
    """Empty: the cluster's own."""


class Criterion(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"senders": "from"}
):
    """What has to hold: at least ``need`` good tries of each target, of at least ``of`` that were made."""

    probe: Kind
    need: int
    of: int
    without: str = ""
    """The phase whose failures count, such as ``tls``; empty: every failure does."""
    senders: tuple[str, ...] = ()
    """Names of vantages, kinds of them, ``server`` or ``agent``; empty: all."""
    any: bool = False
    """Whether one of the vantages is enough."""

    @property
    def text(self) -> str:
        """Say it in a few words."""
        failures = f"failures at {self.without}" if self.without else "failures"
        who = ", ".join(self.senders) or "everywhere"
        return f"{self.probe}: {self.need} of {self.of} without {failures} from {'one of ' if self.any else ''}{who}"


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named set of probes."""

    probes: tuple[Step, ...]
    repeat: int = 1
    interval: float = 5.0
    """Seconds from the end of a round to the beginning of the next."""
    success: tuple[Criterion, ...] = ()
    """Empty: all results have to be well."""


class Met(msgspec.Struct, frozen=True):
    """What became of a criterion."""

    text: str
    tone: Tone
    """``ok`` met, ``critical`` not met, ``unknown``: too few tries to say."""
    detail: str = ""


DEFAULT: Final = Plan((Step("http", URLS), Step("git"), Step("registry", IMAGES)))


def wrong_with(plan: Plan) -> str:
    """Say what is wrong with a plan; empty where nothing is."""
    if not plan.probes:
        return "it has no probes"
    if not 1 <= plan.repeat <= MOST_ROUNDS:
        return f"repeat is {plan.repeat}: give 1 to {MOST_ROUNDS}"
    if not 0 <= plan.interval <= MOST_SECONDS:
        return f"interval is {plan.interval:g}: give 0 to {MOST_SECONDS:g} seconds"
    kinds = {step.probe for step in plan.probes}
    for each in plan.success:
        if not 0 < each.need <= each.of:
            return f"a criterion needs {each.need} of {each.of}"
        if each.probe not in kinds:
            return f"a criterion is about {each.probe}, which the plan does not probe"
    return ""


def merge(rounds: Sequence[Result]) -> Result:
    """Put the results of one target from one vantage, round by round, into one."""
    last = rounds[-1]
    told = [each for each in rounds if each.tone != "unknown"] or list(rounds)
    worst = max(told, key=lambda each: WORST[each.tone])
    bad = [each for each in told if each.tone == "critical"]
    outcome, said, tone, phase = worst.outcome, worst.said, worst.tone, worst.phase
    if bad and len(bad) < len(told):
        outcome, said = _RANDOM, f"fails in {len(bad)} of {len(told)} rounds" + (f", at {phase}" if phase else "")
    return msgspec.structs.replace(
        last,
        outcome=outcome,
        said=said,
        tone=tone,
        phase=phase,
        reason=worst.reason,
        sent=sum(each.sent for each in rounds),
        lost=sum(each.lost for each in rounds),
        times=tuple(time for each in rounds for time in each.times),
        attempts=tuple(attempt for each in rounds for attempt in each.attempts),
    )


def merged(rounds: Sequence[Result]) -> list[Result]:
    """Put the results of all rounds together, in the order in which they first came."""
    found: dict[tuple[str, str, str, str], list[Result]] = {}
    for each in rounds:
        found.setdefault(each.key, []).append(each)
    return [merge(several) for several in found.values()]


def assess(plan: Plan, results: Sequence[Result], roles: Mapping[str, str]) -> list[Met]:
    """Hold results against a plan's criteria; ``roles``: node -> ``server`` or ``agent``."""
    return [_assess(each, results, roles) for each in plan.success]


def _assess(criterion: Criterion, results: Sequence[Result], roles: Mapping[str, str]) -> Met:
    own = [each for each in results if each.probe == criterion.probe and _from(each, criterion.senders, roles)]
    by_vantage: dict[str, list[Result]] = {}
    for each in own:
        by_vantage.setdefault(each.vantage, []).append(each)
    tones = {name: _meets(criterion, several) for name, several in by_vantage.items()}
    failing = sorted(name for name, tone in tones.items() if tone == "critical")
    unknown = sorted(name for name, tone in tones.items() if tone == "unknown")
    fine = sorted(name for name, tone in tones.items() if tone == "ok")
    if not tones:
        return Met(criterion.text, "unknown", "no result is from there")
    if criterion.any and fine:
        return Met(criterion.text, "ok", f"met from {', '.join(fine)}")
    if failing and not (criterion.any and unknown):
        return Met(criterion.text, "critical", f"not met from {', '.join(failing)}")
    if unknown:
        return Met(criterion.text, "unknown", f"too few tries from {', '.join(unknown)}")
    return Met(criterion.text, "ok", f"met from {', '.join(fine)}")


def _from(each: Result, senders: Collection[str], roles: Mapping[str, str]) -> bool:
    names = {each.vantage, each.kind, roles.get(each.node, "") if each.kind == "node" else ""}
    return not senders or bool(names & set(senders))


def _meets(criterion: Criterion, results: Sequence[Result]) -> Tone:
    tones: list[Tone] = []
    for each in results:
        tried = [a for a in each.attempts if not a.unable]
        bad = [a for a in tried if a.failed and criterion.without in {"", a.failed}]
        if len(tried) < criterion.of:
            possible = len(tried) - len(bad) + criterion.of - len(tried) >= criterion.need
            tones.append("unknown" if possible else "critical")
        else:
            tones.append("ok" if len(tried) - len(bad) >= criterion.need else "critical")
    return max(tones, key=lambda tone: WORST[tone], default="unknown")


def is_name(text: str) -> bool:
    """Whether a plan may be called so."""
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", text) is not None
