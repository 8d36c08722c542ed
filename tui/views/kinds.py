"""Kinds of Flux objects by the short names that operators type."""

from typing import Final

KINDS: Final = {
    "GitRepository": "git",
    "OCIRepository": "oci",
    "HelmRepository": "helm",
    "HelmChart": "chart",
    "Bucket": "bucket",
    "ExternalArtifact": "artifact",
    "Kustomization": "ks",
    "HelmRelease": "hr",
}
"""As the flux command abbreviates them."""
