"""Kinds of objects by the short names that operators type."""

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
    "Deployment": "deploy",
}
"""As the flux command and kubectl abbreviate them."""
