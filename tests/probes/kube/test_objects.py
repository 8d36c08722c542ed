"""Objects as real controllers write them, beside what they become; each is one file in ``objects``."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from probes.kube import core, events
from probes.kube.decode import Decoder
from probes.kube.external_secrets import secret_decoder
from probes.kube.flux import flux_decoder

OBJECTS = sorted(Path(__file__).with_name("objects").glob("*.json"))


def decoder_of(case: dict[str, Any]) -> Decoder[Any, Any]:
    match case["decoder"]:
        case "flux":
            return flux_decoder(case["kind"], case["apiVersion"])
        case "secrets":
            return secret_decoder(case["kind"], case["apiVersion"])
        case name:
            decoder: Decoder[Any, Any] = getattr(core if hasattr(core, name) else events, name)
            return decoder


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.stem)
def test_object_becomes_its_model_value(path: Path) -> None:
    """An object alone, and in a list, becomes the value written beside it, under the key written beside it."""
    case = json.loads(path.read_text("utf-8"))
    decoder = decoder_of(case)

    key, value, _ = decoder.object(json.dumps(case["wire"]).encode())
    page = decoder.page(json.dumps({"items": [case["wire"]]}).encode())

    assert key == case["key"]
    assert page.unreadable == []
    if case["model"] is None:
        assert value is None
        assert page.items == {}
        return
    assert page.items == {key: value}
    said = json.loads(msgspec.json.encode(value))
    assert {field: said[field] for field in case["model"]} == case["model"]


@pytest.mark.parametrize("path", OBJECTS, ids=lambda path: path.stem)
def test_secrets_in_an_object_do_not_reach_the_model(path: Path) -> None:
    """What a spec or an annotation holds of secrets is not in the value."""
    case = json.loads(path.read_text("utf-8"))

    _, value, _ = decoder_of(case).object(json.dumps(case["wire"]).encode())

    assert "geheim" not in repr(value)
