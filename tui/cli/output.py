"""Standard output, which may be closed, full, gone, or of an encoding that has few characters."""

import os
import sys


class OutputError(Exception):
    """What was found out cannot be printed; its text is one sentence for the operator."""


def write(text: str) -> None:
    """Print text that ends its own lines, at once; raises OutputError, and BrokenPipeError where nobody reads on."""
    stream = sys.stdout
    if stream is None:
        raise OutputError("standard output is closed, so nothing can be printed: give it a file or a terminal")
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:  # JSON is UTF-8 whatever the locale; a grid has asked what the locale has
            stream.buffer.write(text.encode("utf-8", "replace"))
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error


def abandon() -> None:
    """Let nothing more be written, so that the interpreter does not complain of what it could not flush at its end."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
