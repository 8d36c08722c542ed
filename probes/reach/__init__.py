"""Active probes."""
