"""What a glance needs, derived from a snapshot and nothing else."""
