"""Draw a diagnosis and send intent; also the command line."""

__version__ = "0.1.0"
