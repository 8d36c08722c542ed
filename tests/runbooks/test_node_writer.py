"""What a node is told to run is what was planned, whatever systemd does with a dollar sign."""

from runbooks.actions import Run, WriteFile
from runbooks.plan import PlannedStep
from runbooks.writers.node import argv_of, start_argv


def step(action: Run | WriteFile) -> PlannedStep:
    return PlannedStep("01-it", "it", action, "why", "", "", "samwise", ())


def test_systemd_expands_nothing() -> None:
    """systemd puts variables into what it runs (systemd.service(5)); $$ is a dollar sign there."""
    run = step(Run("samwise", ("sed", "$a\\x", "${HOME}")))
    argv = start_argv("r", run)
    assert argv[-3:] == ("sed", "$$a\\x", "$${HOME}")
    write = step(WriteFile("samwise", "/etc/x$y", "content"))
    script = start_argv("r", write)[argv.index("--") + 1 :]
    assert tuple(each.replace("$$", "$") for each in script) == argv_of("r", write)
    assert "$" not in "".join(script).replace("$$", "")
