"""Ways to run a command on a host: SSH, this machine, a recording."""
