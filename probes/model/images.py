"""What kubelets say of image pulls."""

import msgspec


class PullEvent(msgspec.Struct, frozen=True, gc=False):
    """A Warning or BackOff Event about pulling an image (reasons Failed, BackOff, InspectFailed, ErrImageNeverPull)."""

    namespace: str
    pod: str
    reason: str
    message: str
    node: str = ""
    image: str = ""
    count: int = 1
    first_at: float | None = None
    last_at: float | None = None


class SecretEvent(msgspec.Struct, frozen=True, gc=False):
    """A Warning Event of an External Secrets object: the only place where the cause of a failure is told."""

    kind: str
    namespace: str
    name: str
    reason: str
    message: str
    last_at: float | None = None
