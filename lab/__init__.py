"""The embedded demo cluster: the real wire protocols, Kubernetes REST and SSH, over an in-memory world."""

from lab.incident import titles as incidents

__all__ = ["incidents"]
