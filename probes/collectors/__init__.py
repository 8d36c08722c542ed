"""One node's facts: each collector is the commands it needs and a pure parse of what they print."""
