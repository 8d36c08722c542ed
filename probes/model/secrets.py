"""What External Secrets objects say; never what a secret holds."""

import msgspec

from probes.model.flux import ObjectRef
from probes.model.kube import Condition


class SecretObject(msgspec.Struct, frozen=True, gc=False):
    """A SecretStore, ClusterSecretStore, ExternalSecret, ClusterExternalSecret or PushSecret."""

    ref: ObjectRef
    """A cluster-wide object has an empty namespace."""
    api_version: str = ""
    conditions: tuple[Condition, ...] = ()
    store: ObjectRef | None = None
    """Of an ExternalSecret: the store it reads from."""
    provider: str = ""
    """Of a store: the provider's key, such as ``doppler``."""
    target: str = ""
    """The Secret it writes (binding.name)."""
    refreshed_at: float | None = None
    refresh_interval: float | None = None
    """Seconds."""
    created_at: float | None = None
