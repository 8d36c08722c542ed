"""The kinds that the demo cluster serves, each in one version."""

from dataclasses import dataclass
from typing import Final

ALL_VERBS: Final = ("create", "delete", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Kind:
    """A resource type as discovery lists it."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True
    short: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """``v1`` or ``GROUP/VERSION``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name that messages of the API use: ``nodes``, ``leases.coordination.k8s.io``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str = "") -> str:
        """Write the path of its list, in a namespace or of all."""
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        return f"{root}/namespaces/{namespace}/{self.plural}" if namespace else f"{root}/{self.plural}"


_SOURCE = ("source.toolkit.fluxcd.io", "v1")
_SECRETS = ("external-secrets.io", "v1")

KINDS: Final = (
    Kind("", "v1", "nodes", "Node", namespaced=False, short=("no",), subresources=("status",)),
    Kind("", "v1", "namespaces", "Namespace", namespaced=False, short=("ns",)),
    Kind("", "v1", "pods", "Pod", short=("po",), subresources=("status", "eviction")),
    Kind("", "v1", "events", "Event", short=("ev",)),
    Kind("", "v1", "services", "Service", short=("svc",)),
    Kind("", "v1", "configmaps", "ConfigMap", short=("cm",)),
    Kind("apps", "v1", "deployments", "Deployment", short=("deploy",)),
    Kind("apps", "v1", "daemonsets", "DaemonSet", short=("ds",)),
    Kind("coordination.k8s.io", "v1", "leases", "Lease"),
    Kind("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget", short=("pdb",)),
    Kind("upgrade.cattle.io", "v1", "plans", "Plan"),
    Kind(*_SOURCE, "gitrepositories", "GitRepository", short=("gitrepo",)),
    Kind(*_SOURCE, "ocirepositories", "OCIRepository", short=("ocirepo",)),
    Kind(*_SOURCE, "helmrepositories", "HelmRepository", short=("helmrepo",)),
    Kind(*_SOURCE, "helmcharts", "HelmChart", short=("hc",)),
    Kind(*_SOURCE, "buckets", "Bucket"),
    Kind("kustomize.toolkit.fluxcd.io", "v1", "kustomizations", "Kustomization", short=("ks",)),
    Kind("helm.toolkit.fluxcd.io", "v2", "helmreleases", "HelmRelease", short=("hr",)),
    Kind(*_SECRETS, "externalsecrets", "ExternalSecret", short=("es",)),
    Kind(*_SECRETS, "secretstores", "SecretStore", short=("ss",)),
    Kind(*_SECRETS, "clustersecretstores", "ClusterSecretStore", namespaced=False, short=("css",)),
)

BY_KIND: Final = {kind.kind: kind for kind in KINDS}
FLUX_SOURCES: Final = ("GitRepository", "OCIRepository", "HelmRepository", "HelmChart", "Bucket")
FLUX_CONSUMERS: Final = ("Kustomization", "HelmRelease")
FLUX_KINDS: Final = frozenset((*FLUX_SOURCES, *FLUX_CONSUMERS))
OPTIONAL_GROUPS: Final = frozenset(kind.group for kind in KINDS if "." in kind.group and "k8s.io" not in kind.group)
"""Groups that exist only where their operator was installed."""
