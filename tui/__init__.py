"""Draw a diagnosis and send intent; also the command line."""

__version__ = "0.1.0"

import os

# A frame waits for the next beat: at Textual's usual 60 a second a key waits up to 17 ms before anything is drawn.
os.environ.setdefault("TEXTUAL_FPS", "120")
