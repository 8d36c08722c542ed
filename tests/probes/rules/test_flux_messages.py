"""What a condition's message is taken for."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from probes.rules.codes import RANK
from probes.rules.failures import failure_of
from probes.rules.flux_messages import message_of

_CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "cases" / "flux-messages.yaml").read_text())


@pytest.mark.parametrize("case", _CASES, ids=lambda case: f"{case['code']}: {case['message'][-50:]}")
def test_a_message_is_classed_by_its_words(case: dict[str, Any]) -> None:
    """Each text that a controller is known to write is of one class, whatever reason stands beside it."""
    kind, reason = case.get("kind", "GitRepository"), case.get("reason", "GitOperationFailed")
    found = message_of(kind, reason, case["message"])
    assert found.code == case["code"]
    assert case.get("said", "") in found.said
    if "host" in case:
        assert found.failure is not None
        assert found.failure.host == case["host"]
    if "resolver" in case:
        assert found.failure is not None
        assert found.failure.resolver == case["resolver"]


def test_every_class_has_a_case_and_a_rank() -> None:
    """No class of messages is there without a text that is of it."""
    classes = {case["code"] for case in _CASES}
    assert classes <= RANK.keys()
    assert len(classes) > 25


@pytest.mark.parametrize("reason", ["", "GitOperationFailed", "Failed", "AuthenticationFailed"])
def test_a_reason_does_not_overrule_a_message(reason: str) -> None:
    """A 401 is the server's refusal even beside AuthenticationFailed, which Flux says of a local Secret."""
    assert message_of("GitRepository", reason, "authentication required: bad credentials").code == "flux-source-auth"


@pytest.mark.parametrize("text", ["", " ", "EOF here and there", "lookup", "x" * 100_000, "lookup " + "y" * 50_000])
def test_any_text_is_classed(text: str) -> None:
    """Whatever stands in a condition, it has a class, and soon."""
    assert message_of("Kustomization", "", text).code == "flux-not-ready"
    assert failure_of(text) is None
