"""A defect of underlay's own: one sentence for the operator, and the trace, without any values, in a file."""

import traceback

from tui.saving import NotSaved, save


def admit(error: BaseException, now: float) -> str:
    """Say in one sentence what went wrong and where, and keep the trace beside what else was saved."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    said = f"this is a defect, please report it: {where(error)}"
    try:
        file = save("defect", "".join(traceback.format_exception(error)), now)
    except NotSaved:
        return said
    return f"{said}; the trace is in {file}"


def where(error: BaseException) -> str:
    """Say in one line what went wrong and where."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"
        trace = trace.tb_next
    said = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {said if said.isprintable() else ascii(said)} ({place})"
