"""Runbooks are read strictly: what is wrong is said with file and line."""

from pathlib import Path

import pytest

from runbooks.actions import ACTIONS
from runbooks.conditions import KINDS
from runbooks.reading import RunbookError
from runbooks.schema import parse
from runbooks.shelf import catalog
from tests.runbooks.worlds import runbook

ROOT = Path(__file__).parents[2]
NODES = "parameters:\n  nodes: {type: nodes, from: all-nodes, about: which}\n"
RESTART = "      - restart-unit: {node: '${node}', unit: k3s}\n        why: because\n"
GATE = "        gate: {must: [unit-restarted]}\n"
EACH = "  - for-each: node\n    of: nodes\n    steps:\n"


def refused(steps: str, head: str = "") -> str:
    with pytest.raises(RunbookError) as error:
        runbook(steps, head)
    return str(error.value)


@pytest.mark.parametrize(
    ("steps", "head", "said"),
    [
        ("  - explode: {}\n    why: x\n", "", "mine.yaml:4: 'explode' is no action"),
        ("  - note: x\n    colour: red\n", "", "mine.yaml:5: 'colour' is no action"),
        ("  - note: x\n    wait: {seconds: 1}\n    why: x\n", "", "mine.yaml:5: a step does one thing"),
        ("  - why: x\n", "", "mine.yaml:4: the step does nothing"),
        ("  - cordon: {node: a}\n", "", "mine.yaml:4: a step must say why"),
        ("  - cordon: {node: a, nodes: b}\n    why: x\n", "", "mine.yaml:4: 'nodes' is not known here"),
        ("  - restart-unit: {node: a}\n    why: x\n", "", "mine.yaml:4: 'unit' is missing"),
        (EACH + RESTART, NODES, "mine.yaml:9: restart-unit disrupts what runs and has no gate"),
        (EACH + RESTART + "        gate: {soak: 5s}\n", NODES, "mine.yaml:11: a gate without conditions"),
        (EACH + RESTART + "        gate: {must: [luck]}\n", NODES, "mine.yaml:11: 'luck' is no condition"),
        (EACH + RESTART + "        gate: {must: [api], soak: soon}\n", NODES, "mine.yaml:11: 'soon' is no time"),
        (
            EACH + "      - for-each: node\n        of: nodes\n        steps: []\n",
            NODES,
            "mine.yaml:9: a for-each with",
        ),
        ("  - for-each: node\n    of: hosts\n    steps: []\n", NODES, "mine.yaml:7: 'hosts' is no parameter"),
        ("  - &a [*a]\n", "", "mine.yaml:4: this value contains itself"),
        ("  - note: &a {b: *a}\n", "", "contains itself, through an alias: a loop"),
        ("  - note: '${color}'\n", "", "mine.yaml:4: ${color} is nothing here"),
        ("  - note: '${node.unit}'\n", NODES, "mine.yaml:6: ${node.unit} is nothing here"),
        ("  - note: x\n", "fixes: [vxlan-mood]\n", "mine.yaml:3: 'vxlan-mood' is no finding"),
        ("  - note: x\n", "leaves: {vxlan-mood: y}\n", "mine.yaml:3: 'vxlan-mood' is no finding"),
        ("  - note: x\n", "colour: red\n", "mine.yaml:3: 'colour' is not known here"),
        ("  - note: x\n", "title: again\n", "mine.yaml:3: title is said twice"),
        ("  - note: x\n", "parameters: {a: {type: colour, about: x}}\n", "mine.yaml:3: 'colour' is no type"),
        ("  - note: x\n", "parameters: {a: {type: text, about: x, default: '${a}'}}\n", "could go in a loop"),
        ("  - note: x\n", "parameters: {a: {type: int, about: x, from: all-nodes}}\n", "all-nodes gives node"),
        ("  - run: {node: a, argv: 'rm -rf /'}\n    why: x\n    gate: {must: [api]}\n", "", "argv must be a list"),
        ("  - note: [\n", "", "not YAML"),
        ("  - !!python/object:os.system {}\n", "", "mine.yaml:4"),
        ("", "", "steps must be a list"),
    ],
)
def test_a_bad_runbook_is_refused_with_its_line(steps: str, head: str, said: str) -> None:
    """Unknown keys and actions, loops, missing gates, holes that nothing fills: one sentence with file and line."""
    assert said in refused(steps, head)


def test_a_shell_takes_no_parameters() -> None:
    """A program that reads its arguments as a program gets none that somebody gave."""
    head = "parameters:\n  word: {type: text, about: x}\n"
    step = "  - run: {{node: boromir, argv: [{argv}]}}\n    why: x\n    gate: {{must: [api]}}\n"
    assert "would read a parameter as a program" in refused(step.format(argv="/bin/sh, -c, 'echo ${word}'"), head)
    assert "which program runs must be written out" in refused(step.format(argv="'${word}', x"), head)
    assert runbook(step.format(argv="echo, '${word}'"), head).groups[0].steps[0].fields["argv"] == ["echo", "${word}"]


def test_the_file_is_named_after_the_runbook() -> None:
    """What `underlay run` calls it is what the file is called."""
    with pytest.raises(RunbookError, match=r"must be in a\.yaml, not in b\.yaml"):
        parse("name: a\ntitle: x\nsteps: [{note: x}]\n", "b.yaml")


def test_our_own_runbooks_are_whole() -> None:
    """Every runbook of the catalog is read without complaint, writes or says that it does not, and has a title."""
    shelf = catalog()
    assert shelf.errors == ()
    assert "k3s-rolling-restart" in shelf.runbooks
    for each in shelf.runbooks.values():
        assert each.title
        assert each.about


def test_an_operators_own_runbooks_join_ours(tmp_path: Path) -> None:
    """Those of the config folder are there too; one that is broken, or takes a name of ours, is told and left out."""
    (tmp_path / "own.yaml").write_text("name: own\ntitle: x\nsteps: [{note: hello}]\n")
    (tmp_path / "bad.yaml").write_text("name: bad\ntitle: x\nsteps: [{explode: x}]\n")
    (tmp_path / "k3s-rolling-restart.yaml").write_text("name: k3s-rolling-restart\ntitle: x\nsteps: [{note: x}]\n")
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    shelf = catalog(tmp_path)
    assert "own" in shelf.runbooks
    assert len(shelf.errors) == 3
    assert f"{tmp_path}/bad.yaml:3: 'explode' is no action" in shelf.errors[0]
    assert shelf.runbooks["k3s-rolling-restart"].writes


def test_the_contract_names_everything() -> None:
    """docs/runbooks.md has every action and every condition."""
    text = (ROOT / "docs/runbooks.md").read_text()
    assert [name for name in (*ACTIONS, *KINDS) if f"`{name}`" not in text] == []
