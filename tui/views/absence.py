"""Absence: why there is nothing to show, or why what is shown may not be true any more."""

from probes.model.snapshot import SourceState
from tui.format import Glyphs, Span, age, status


def nothing(state: SourceState, what: str, glyphs: Glyphs) -> Span:
    """Say why there is none of it: loading, restricted, absent, failed and empty are not the same."""
    match state.status:
        case "loading":
            return status("loading", glyphs, f"asking for {what}")
        case "restricted":
            return status("restricted", glyphs, f"not allowed to see {what}: {state.reason}")
        case "absent":
            return status("none", glyphs, f"{what}: not installed in this cluster")
        case "ok":
            return status("none", glyphs, f"no {what}")
    return status("critical", glyphs, f"{what} are not known: {state.reason}")


def doubt(state: SourceState, now: float, glyphs: Glyphs) -> str:
    """Say how old what is shown is where its source does not answer; empty where it does."""
    if state.status in {"ok", "absent", "loading"}:
        return ""
    if state.status == "restricted":
        return status("restricted", glyphs, "in part").text
    if state.at is None:
        return ""
    return status("stale", glyphs, f"{state.status}: as it was {age(now - state.at, glyphs)} ago").text
