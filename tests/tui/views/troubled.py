"""A cluster in which a Flux source, an image pull and a secret store fail."""

from probes.model.flux import FluxObject, ObjectRef
from probes.model.images import PullEvent, SecretEvent
from probes.model.kube import Condition, Container, Pod
from probes.model.observation import Listed, Observed
from probes.model.secrets import SecretObject
from probes.model.snapshot import Snapshot, fold
from tests.probes.worlds import AT, healthy
from tui.views.flux import key_of

GIT = ObjectRef("GitRepository", "flux-system", "flux-system")
APPS = ObjectRef("Kustomization", "flux-system", "apps")
STORE = ObjectRef("ClusterSecretStore", "", "doppler")
SECRET = ObjectRef("ExternalSecret", "apps", "token")


def troubled() -> Snapshot:
    message = "unable to clone: context deadline exceeded"
    git = FluxObject(
        GIT,
        generation=4,
        observed_generation=3,
        conditions=(Condition("Ready", "False", "GitOperationFailed", message, 940.0),),
        url="https://git.example/repo",
        revision="main@sha1:aaaa",
        artifact_at=400.0,
        requested_at="2026-01-02T03:04:05Z",
        interval=60.0,
    )
    apps = FluxObject(
        APPS, conditions=(Condition("Ready", "True"),), source=GIT, revision="main@sha1:bbbb", depends_on=(GIT,)
    )
    waiting = Container("c", "ghcr.io/x/y:1", waiting_reason="ImagePullBackOff", waiting_message="Back-off")
    pods = {"apps/web": Pod("apps", "web", node="samwise", containers=(waiting,))}
    pull = PullEvent(
        "apps", "web", "Failed", "Failed to pull image: [/nope] TLS handshake timeout", "samwise", "", 3, 900.0, 1000.0
    )
    store = SecretObject(STORE, conditions=(Condition("Ready", "False", "InvalidProviderConfig"),), provider="doppler")
    secret = SecretObject(SECRET, conditions=(Condition("Ready", "True", "SecretSynced"),), store=STORE, target="token")
    told = SecretEvent("ClusterSecretStore", "", "doppler", "ValidationFailed", "dial tcp: i/o timeout", 1010.0)
    return fold(
        healthy(),
        [
            Observed("kube/flux/GitRepository", AT, Listed({key_of(GIT): git})),
            Observed("kube/flux/Kustomization", AT, Listed({key_of(APPS): apps})),
            Observed("kube/pods", AT, Listed(pods)),
            Observed("kube/pull_events", AT, Listed({"e1": pull})),
            Observed("kube/secret_events", AT, Listed({"e2": told})),
            Observed("kube/secrets/ClusterSecretStore", AT, Listed({key_of(STORE): store})),
            Observed("kube/secrets/ExternalSecret", AT, Listed({key_of(SECRET): secret})),
        ],
    )
