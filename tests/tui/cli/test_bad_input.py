"""Whatever comes in: one clear sentence or an unassessed fact, never a traceback, and nothing hostile on the screen."""

import asyncio
import dataclasses
import io
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab import kinds, shell
from lab.cluster import LabCluster
from lab.commands import Done
from tests.generate_docs import DOCS, generated
from tui.__main__ import main
from tui.cli import arguments, status
from tui.cli.place import Place

HOSTILE = "\x1b[2J\x1b]52;c;ZXZpbA==\x07 [red]x[/nope] [@click=app.bell]y[/] \x9b31m \u202eback\u2066 a\nb\tc\x00 end"


async def _status(lab: LabCluster, *options: str) -> tuple[int, str]:
    """Run ``status`` in this process against a demo cluster; its exit status and what it printed."""
    out = io.StringIO()
    parsed = arguments.parse(["status", *options])
    place = Place(kubeconfig=lab.kubeconfig, ssh_config=lab.ssh_config, nodes=parsed.nodes, demo=lab.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdout", out)
        code = await status.run(parsed, place)
    return code, out.getvalue()


def _assert_harmless(text: str) -> None:
    for line in text.split("\n"):
        hostile = [char for char in line if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
        assert not hostile, (line, hostile)


def _flux_message(text: str) -> Callable[[dict[str, Any]], None]:
    def change(obj: dict[str, Any]) -> None:
        ready = next(c for c in obj["status"]["conditions"] if c["type"] == "Ready")
        ready.update(status="False", message=text)

    return change


@pytest.mark.parametrize("output", ["table", "json"])
async def test_hostile_strings_are_shown_harmless(output: str) -> None:
    """Markup, escapes, newlines and bidi marks in messages are seen as marks; the text around them stays readable."""
    async with LabCluster("healthy") as lab:
        git = next(k for k in kinds.KINDS if k.kind == "GitRepository")
        name = lab.world.store.objects(git)[0]["metadata"]["name"]
        lab.world.store.edit(git, "flux-system", name, _flux_message(HOSTILE))
        gimli = lab.world.nodes["gimli"]
        gimli.shape = dataclasses.replace(gimli.shape, k3s_version=f"v1.34.1{HOSTILE}")
        code, printed = await _status(lab, "-o", output)
    assert code == 1
    text = json.dumps(json.loads(printed), ensure_ascii=False) if output == "json" else printed
    _assert_harmless(text)
    assert "[red]x[/nope]" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("incident", ["healthy", "flannel-missing-after-upgrade"])
async def test_json_keeps_to_its_schema(incident: str) -> None:
    """What programs read is what docs/status-schema.json says, and the file is as the code makes it."""
    for path, text in generated().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name} is old: make docs"
    schema = json.loads((DOCS / "status-schema.json").read_text(encoding="utf-8"))
    async with LabCluster(incident) as lab:
        code, printed = await _status(lab, "-o", "json")
    read = json.loads(printed)
    jsonschema.validate(read, schema)
    assert read["exit_status"] == code


async def test_eighty_columns_are_enough() -> None:
    """Piped output of every incident fits 80 columns."""
    async with LabCluster("flannel-missing-after-upgrade") as lab:
        _, printed = await _status(lab)
    assert max(len(line) for line in printed.splitlines()) <= 80


@pytest.mark.parametrize(
    "garbage",
    [Done(0, "", ""), Done(1, "", "permission denied"), Done(0, "[{", ""), Done(0, "\x00\xff\x1b[2J" * 99, HOSTILE),
     Done(0, '[{"ifname": "eth0", "mtu": 99999999999999999999}]', ""), Done(127, "", "sh: 1: ip: not found"),
     Done(0, "[" * 5000, ""), Done(124, "", ""), Done(0, "{}", ""), Done(0, "null", "")],
)  # fmt: skip
async def test_garbage_from_every_command_is_unassessed(garbage: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node on which every command says the same nonsense has unassessed facts with reasons, and no green cell."""

    async def nonsense(world: Any, machine: Any, argv: tuple[str, ...], *, root: bool = False) -> Done:
        return garbage

    monkeypatch.setattr(shell, "run_argv", nonsense)
    async with LabCluster("healthy") as lab:
        _, printed = await _status(lab, "-o", "json", "--nodes", "gimli")
        _, shown = await _status(lab, "--nodes", "gimli")
    _assert_harmless(shown)
    read = json.loads(printed)
    (node,) = read["nodes"]
    gaps = {gap["what"]: gap["reason"] for gap in read["unassessed"] if gap["where"] == "gimli"}
    assert {"unit", "counters", "sysctls"} <= gaps.keys()
    assert all(reason and "\n" not in reason for reason in gaps.values())
    assert node["summary"]["uplink_mtu"] is None
    assert node["summary"]["overlay_mtu"] is None
    assert node["summary"]["overlay_state"] != "ok"
    assert read["verdict"] != "healthy"


KUBECONFIGS = {
    "no yaml": "a: [",
    "a list": "- a",
    "text": "hello",
    "binary": "\x00\x01",
    "no clusters": "apiVersion: v1\nkind: Config\ncurrent-context: a\n",
    "no such cluster": "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n",
    "no server": "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n"
    "clusters: [{name: b, cluster: {}}]\nusers: [{name: c, user: {}}]\n",
    "bad certificate": "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n"
    "clusters: [{name: b, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: '!!'}}]\n"
    "users: [{name: c, user: {}}]\n",
    "hostile": f"current-context: {json.dumps(HOSTILE)}\n",
}


@pytest.mark.parametrize("case", KUBECONFIGS)
def test_a_bad_kubeconfig_is_one_sentence(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is wrong and in which file, on one line, with the exit status that says nothing was assessed."""
    file = tmp_path / "kubeconfig"
    file.write_text(KUBECONFIGS[case])
    assert main(["status", "--kubeconfig", str(file)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("underlay: ")
    assert said.err.count("\n") == 1
    assert str(file) in said.err or "context" in said.err
    _assert_harmless(said.err)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=200))
def test_any_text_as_kubeconfig_is_one_sentence(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No text at all brings a traceback."""
    file = tmp_path / "kubeconfig"
    file.write_text(text, encoding="utf-8", errors="replace")
    assert main(["status", "--kubeconfig", str(file)]) == 3
    said = capsys.readouterr().err
    assert said.startswith("underlay: ")
    assert said.count("\n") == 1


def test_an_api_that_is_not_there_is_told_in_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused connection is a verdict of its own: nothing could be assessed, and why."""
    file = tmp_path / "kubeconfig"
    file.write_text(
        "current-context: a\ncontexts: [{name: a, context: {cluster: b, user: c}}]\n"
        "clusters: [{name: b, cluster: {server: 'http://127.0.0.1:1'}}]\nusers: [{name: c, user: {token: t0ps3cret}}]\n"
    )
    assert main(["status", "--kubeconfig", str(file), "--timeout", "3"]) == 3
    said = capsys.readouterr()
    assert "127.0.0.1:1" in said.out
    assert "unassessed" in said.out
    assert "t0ps3cret" not in said.out + said.err


def test_an_unknown_incident_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """A demo that does not exist names those that do."""
    assert main(["--demo", "nonsuch", "status"]) == 3
    said = capsys.readouterr().err
    assert "nonsuch" in said
    assert "healthy" in said
    assert said.count("\n") == 1


def test_a_node_that_is_not_there_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """--nodes with a name the cluster does not have says so and names those it has."""
    assert main(["--demo", "healthy", "status", "--nodes", "gimly"]) == 3
    said = capsys.readouterr().err
    assert "gimly" in said
    assert "gimli" in said


def test_the_loop_is_not_needed_for_help() -> None:
    """Help and version cost no event loop and no library."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert asyncio.get_event_loop_policy() is not None
