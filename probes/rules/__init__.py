"""Judge what was seen: pure functions over a snapshot."""
