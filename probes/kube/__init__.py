"""The Kubernetes API, read only: list, watch, get, and the decode into our own values."""
