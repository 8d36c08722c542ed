"""The command line: what may be said, and what is said of what may not."""

import pytest

from tui.cli import arguments


def test_demo_takes_an_incident_and_a_command() -> None:
    """--demo alone is a healthy cluster; an incident and a command may follow, each by itself."""
    for argv, incident, command in (
        (["--demo"], "healthy", "status"),
        (["--demo", "status"], "healthy", "status"),
        (["--demo", "registry-tls-timeouts"], "registry-tls-timeouts", "status"),
        (["--demo", "healthy", "status", "-o", "json"], "healthy", "status"),
    ):
        parsed = arguments.parse(argv)
        assert (parsed.demo, parsed.command) == (incident, command)
    assert arguments.parse(["status"]).demo is None


@pytest.mark.parametrize(("text", "seconds"), [("10", 10.0), ("2.5s", 2.5), ("500ms", 0.5), ("1m", 60.0)])
def test_time_limits_have_units(text: str, seconds: float) -> None:
    """Seconds are meant where no unit is given."""
    assert arguments.parse(["status", "--timeout", text]).timeout == pytest.approx(seconds)


@pytest.mark.parametrize(
    "argv",
    [["frobnicate"], ["status", "--timeout", "soon"], ["status", "--timeout", "-1"], ["status", "--timeout", "nan"],
     ["status", "-o", "xml"], ["status", "extra"], ["init", "--vantage", "pve"],
     ["init", "--vantage", "x=-oProxyCommand=y"]],
)  # fmt: skip
def test_what_cannot_be_understood_is_one_sentence(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong command line ends with exit status 3, which no verdict about a cluster uses, and one line."""
    with pytest.raises(SystemExit) as ended:
        arguments.parse(argv)
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert said.startswith("underlay: ")
    assert said.count("\n") == 1
