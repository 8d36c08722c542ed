"""The fault matrix: what breaks a real cluster, one file a fault, and what underlay must call it."""
