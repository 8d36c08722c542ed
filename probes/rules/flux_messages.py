"""What a Flux condition's message says failed: its class, whatever the reason beside it.

The texts are go-git's, Go's, the registry client's, Helm's and the controllers' own (source-controller
gitrepository_controller.go, fluxcd/pkg git/gogit/clone.go, kustomize-controller kustomization_controller.go).
A reason lies: AuthenticationFailed is a local Secret that lacks, a refusal by the server is GitOperationFailed.
``HTTP/2 stream N was not closed cleanly`` is libcurl's; no Flux controller writes it, so no class is made of it.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec

from probes.model.flux import CONSUMER_KINDS
from probes.rules.failures import NETWORK, Failure, failure_of

SLEEPS: Final = (
    "Flux tries again after 750 ms, then later and later, at last every 15 minutes: after a repair ask for it (flux "
    "reconcile) or wait as long. Do not restart source-controller meanwhile: its storage is an emptyDir, and what it "
    "serves now would be gone."
)
_FROM_A_POD: Final = (
    "Try the stages one by one from a pod on the controller's node: name, TCP, TLS, a large download. Small requests "
    "that succeed (curl -I, nc, ping) prove nothing about large ones. HTTPS or SSH, HTTP/1.1 or HTTP/2 make no "
    "difference: TCP cuts all of them into segments of one size. Pods reach the internet by the uplink, not by "
    "flannel.1: its MTU alone does not break this, and neither does the case of letters in a GitHub URL."
)


class Message(msgspec.Struct, frozen=True):
    """The class of a message."""

    code: str
    said: str
    """What failed, in plain words and without a subject."""
    detail: str = ""
    failure: Failure | None = None
    """How far a request got, where the message is about one."""

    @property
    def network(self) -> bool:
        """Whether the way to a server may be the cause."""
        return self.failure is not None and self.failure.kind in NETWORK


_BY_FAILURE: Final[dict[str, tuple[str, str]]] = {
    "dns": (
        "flux-source-dns",
        "Where the resolver asked is the cluster's own, CoreDNS or the overlay to its node is at fault, and neither "
        "the "
        "server nor the internet. " + SLEEPS,
    ),
    "unknown-name": (
        "flux-source-no-such-host",
        "Somebody answered: the URL is wrong, or CoreDNS asks a resolver that does not know the name.",
    ),
    "connect-timeout": ("flux-connect-timeout", "The name resolved. A firewall, a route or the server. " + SLEEPS),
    "connect-refused": (
        "flux-connect-refused",
        "Packets pass both ways: nobody listens there, or a firewall answers in its place. " + SLEEPS,
    ),
    "no-route": ("flux-no-route", "A router or this node itself says so: look at the node's routes. " + SLEEPS),
    "tls-stall": (
        "flux-tls-stall",
        "The server's certificates are the first full-size packets to come in: the classic place of a path MTU black "
        "hole, "
        f"though mere loss does it too. {_FROM_A_POD} {SLEEPS}",
    ),
    "tls-trust": (
        "flux-tls-trust",
        "The network works. A private CA that is not in certSecretRef, an expired certificate, or a proxy that opens "
        "TLS.",
    ),
    "broken-off": (
        "flux-fetch-stalled",
        "Names, TCP and the handshake work; bulk data does not get through. A longer timeout does not cure it. "
        f"{_FROM_A_POD} {SLEEPS}",
    ),
    "rate-limit": (
        "flux-rate-limit",
        "The network works. All nodes behind one address share a limit; credentials raise it. Asking more often makes "
        "it worse.",
    ),
    "denied": (
        "flux-source-auth",
        "The network works: the server answered. An expired token, a removed deploy key, or none at all. A registry "
        "says the same of what is private and of what does not exist.",
    ),
    "not-found": (
        "flux-source-not-found",
        "The network works. A wrong URL, branch, tag or chart version; GitHub says 'Repository not found' of private "
        "repositories as well, with a 401. It does not mind the case of letters, other forges and OCI do.",
    ),
    "timeout": (
        "flux-fetch-timeout",
        f"spec.timeout (60 s unless set) covers the whole fetch; raising it does not cure a stall. {_FROM_A_POD} "
        f"{SLEEPS}",
    ),
}


class _Pattern(msgspec.Struct, frozen=True):
    """A class that its words alone tell."""

    code: str
    pattern: re.Pattern[str]
    said: str
    detail: str = ""


_ANY: Final = (
    _Pattern(
        "flux-webhook-timeout",
        re.compile(
            r"failed calling webhook[^\n]{0,600}?(?:context deadline exceeded|i/o timeout|Client\.Timeout"
            r"|no route to host"
            r"|connection refused|handshake timeout|\bEOF)"
        ),
        "an admission webhook does not answer the API server",
        "The API server calls the webhook's pod over the overlay. The webhook is seldom what is broken: look at its "
        "pods' node, and at the way to it from the servers.",
    ),
    _Pattern(
        "flux-ssh-host-key",
        re.compile(r"knownhosts: [^\n]{1,80}|[Hh]ost key verification failed"),
        "the SSH host key is not the one in known_hosts",
        "The server has a new key, or somebody is in between: compare it with the published fingerprint before "
        "trusting it.",
    ),
    _Pattern(
        "flux-secret-missing",
        re.compile(
            r"secrets? [\"'][^\"']{1,253}[\"'] not found|failed to get (?:authentication )?secret"
            r"|invalid '[^']+' secret"
        ),
        "a Secret that it needs is missing or lacks a key",
        "Nobody was asked: the Secret is looked for in this cluster. Where External Secrets makes it, look there.",
    ),
    _Pattern(
        "flux-verification-failed",
        re.compile(r"failed to verify (?:the )?(?:signature|commit|tag)|signature verification|no matching signatures"),
        "the signature could not be verified",
        "What was fetched is refused on purpose.",
    ),
    _Pattern(
        "flux-storage-failed",
        re.compile(
            r"disappeared from storage|failed to (?:create|acquire|garbage collect)[^\n]{0,60}(?:lock|storage"
            r"|artifact)|no space left on device"
        ),
        "source-controller's own storage failed",
        "Its /data is an emptyDir: a restart or a drain empties it, and everything must be fetched again.",
    ),
)
_OF_SOURCES: Final = (
    _Pattern(
        "flux-chart-not-found",
        re.compile(
            r"no '[^']*' chart with version[^\n]{0,80}|no chart (?:name|version) found"
            r"|chart[^\n]{0,80}not found in[^\n]{0,60}index"
        ),
        "the repository has no such chart or version",
        "The network works. Compare the version asked for with the repository's index.",
    ),
    _Pattern(
        "flux-source-not-found",
        re.compile(r"\bobject not found|entry not found|empty git-upload-pack given|no match found for semver"),
        "what it asks for is not there",
        "The network works: the repository answered and has no such commit, branch or tag.",
    ),
)
_OF_CONSUMERS: Final = (
    _Pattern(
        "flux-dependency-not-ready",
        re.compile(
            r"dependency '[^']+' is not ready|dependencies do not meet ready condition|unable to get '[^']+' dependency"
        ),
        "it waits for what it depends on",
        "It is tried again about every 30 seconds; nothing is to be done here.",
    ),
    _Pattern(
        "flux-source-no-artifact",
        re.compile(
            r"[Ss]ource artifact not found|[Ss]ource is not ready|artifact not found|(?:HelmChart"
            r"|OCIRepository) '[^']+' is not ready"
            r"|latest generation of object has not been reconciled|failed to (?:download|fetch) [^\n]{0,300}404"
        ),
        "its source has no artifact to give",
        "The source was never fetched, or source-controller lost it: its storage is an emptyDir.",
    ),
    _Pattern(
        "flux-artifact-unreachable",
        re.compile(
            r"(?:failed to (?:download|fetch) (?:the )?(?:artifact|archive)"
            r"|source-controller\.\S{1,120}svc)[^\n]{0,400}"
        ),
        "the artifact cannot be had from source-controller",
        "This goes from pod to pod and, where the controllers are on different nodes, over the overlay, in full-size "
        "packets.",
    ),
    _Pattern(
        "flux-health-check-failed",
        re.compile(r"health check failed|timeout waiting for: "),
        "what it applied does not become healthy",
        "Flux did its part: look at the objects that the message names.",
    ),
    _Pattern(
        "flux-build-failed",
        re.compile(r"kustomize build failed|post[ -]build failed|kustomization\.yaml|var substitution failed"),
        "its manifests cannot be built",
        "The repository's content is at fault, not the network.",
    ),
    _Pattern(
        "flux-release-failed",
        re.compile(r"Helm (?:install|upgrade|test|rollback|uninstall) failed"),
        "the Helm release failed",
        "Where it waited for pods, look at what keeps them: image pulls, webhooks, secrets.",
    ),
    _Pattern(
        "flux-apply-failed",
        re.compile(r"dry-run failed|apply failed|admission webhook [^\n]{0,120}denied|server-side apply|prune failed"),
        "the API refuses what it applies",
        "The manifests, the controller's rights or an admission policy.",
    ),
)
_BY_REASON: Final = {
    "AuthenticationFailed": _ANY[2],
    "VerificationError": _ANY[3],
    "DependencyNotReady": _OF_CONSUMERS[0],
    "HealthCheckFailed": _OF_CONSUMERS[3],
    "BuildFailed": _OF_CONSUMERS[4],
}
"""What a reason hints at where the message says nothing known."""
_HELM_INDEX: Final = re.compile(
    r"failed to fetch Helm repository index|failed to (?:load|cache|parse) [^\n]{0,20}index"
)
_CHART_PULL: Final = re.compile(r"chart pull error")
_OCI: Final = re.compile(r"failed to (?:determine artifact digest|pull artifact)|OCIArtifact")


@lru_cache(maxsize=4096)
def message_of(kind: str, reason: str, message: str) -> Message:
    """Class the message of a failed Flux object of a kind; ``flux-not-ready`` where nothing in it is known."""
    for one in _ANY:
        if one.pattern.search(message):
            return _from(one, message)
    failure = failure_of(message)
    if failure is not None and failure.kind == "dns":
        return _network(failure)
    for one in _OF_CONSUMERS if kind in CONSUMER_KINDS else _OF_SOURCES:
        if one.pattern.search(message):
            return _from(one, message)
    if failure is not None and not (reason == "AuthenticationFailed" and failure.kind == "not-found"):
        return _network(failure)
    if reason in _BY_REASON:
        return _from(_BY_REASON[reason], message)
    return _remaining(message)


def _from(one: _Pattern, message: str) -> Message:
    # Of the other classes a "context deadline exceeded" tells how long the controller waited, not that a way is broken.
    failure = failure_of(message) if one.code in {"flux-webhook-timeout", "flux-artifact-unreachable"} else None
    return Message(one.code, one.said, one.detail, failure)


def _network(failure: Failure) -> Message:
    code, detail = _BY_FAILURE[failure.kind]
    return Message(code, failure.said, detail, failure)


def _remaining(message: str) -> Message:
    """Class what tells only which step failed."""
    if _HELM_INDEX.search(message):
        return Message("flux-helm-index", "the repository's index cannot be had or read", "Fetch the index by hand.")
    if _CHART_PULL.search(message):
        return Message("flux-chart-pull", "the chart cannot be pulled", "Pull it by hand: helm pull.")
    if _OCI.search(message):
        return Message("flux-oci-pull", "the OCI artifact cannot be had", "Pull it by hand: flux pull artifact.")
    return Message(
        "flux-not-ready", "it is not ready", "The message is of no class that is known here: read it as it stands."
    )
