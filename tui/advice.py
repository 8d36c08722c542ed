"""Advice: what config.yaml and the catalog of runbooks have to say to what is found."""

from probes.rules.diagnose import Advice
from runbooks.fixes import fixes
from tui.settings import Settings


def advice(settings: Settings) -> Advice:
    """Put together what a diagnosis is to advise."""
    return Advice(settings.headroom, fixes())
