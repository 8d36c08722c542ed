"""The k3s twin: does to the kernel and to the API what k3s with flannel does, and nothing else."""
