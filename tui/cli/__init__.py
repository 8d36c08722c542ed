"""The command line: each command is a module with ``async run(arguments, place) -> exit status``."""
