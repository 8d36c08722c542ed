"""What the Flux objects say: sources and those that consume them."""

from typing import Final

import msgspec

from probes.model.kube import Condition

SOURCE_KINDS: Final = (
    "OCIRepository",
    "Bucket",
    "GitRepository",
    "HelmRepository",
    "HelmChart",
    "ExternalArtifact",
)
"""In the order in which ``flux get sources all`` lists them."""
CONSUMER_KINDS: Final = ("Kustomization", "HelmRelease")


class ObjectRef(msgspec.Struct, frozen=True, order=True, gc=False):
    """Which object, within one cluster."""

    kind: str
    namespace: str
    name: str


class FluxObject(msgspec.Struct, frozen=True, gc=False):
    """A Flux source, Kustomization or HelmRelease."""

    ref: ObjectRef
    api_version: str = ""
    generation: int | None = None
    observed_generation: int | None = None
    suspended: bool = False
    conditions: tuple[Condition, ...] = ()
    url: str = ""
    static: bool = False
    """A HelmRepository of type oci: it has no status and never will."""
    source: ObjectRef | None = None
    """Where a consumer or HelmChart takes its artifact from."""
    depends_on: tuple[ObjectRef, ...] = ()
    revision: str = ""
    """Of a source: artifact.revision; of a consumer: lastAppliedRevision, or the newest chart version in history."""
    attempted_revision: str = ""
    artifact_at: float | None = None
    """artifact.lastUpdateTime."""
    artifact_size: int | None = None
    requested_at: str = ""
    """The annotation reconcile.fluxcd.io/requestedAt, as written."""
    handled_at: str = ""
    """status.lastHandledReconcileAt, as written."""
    interval: float | None = None
    """Seconds."""
    timeout: float | None = None
    """Seconds; None is Flux's default of 60."""
    secret: str = ""
    """The name of the Secret it authenticates with."""
    created_at: float | None = None

    def condition(self, kind: str) -> Condition | None:
        """Look up a condition by its type."""
        return next((c for c in self.conditions if c.type == kind), None)

    @property
    def attempted_at(self) -> float | None:
        """When it last changed what it says of its attempts: the newest transition of its conditions."""
        return max((c.changed_at for c in self.conditions if c.changed_at is not None), default=None)
