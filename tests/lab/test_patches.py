"""The three patches, and that no patch breaks the server."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.patches import JSON, MERGE, STRATEGIC, PatchError, apply

NODE = {
    "metadata": {"name": "a", "labels": {"x": "1"}},
    "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
    "status": {"conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}]},
}
UNREADY = {"type": "Ready", "status": "False"}
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["", "/", "/spec/taints/0", "/metadata/labels", "add", "x"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["op", "path", "from", "value", "spec", "taints", "conditions", "metadata", "$patch", "key"]),
        inner,
        max_size=4,
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("media_type", "patch", "path", "expected"),
    [
        (MERGE, {"metadata": {"labels": {"x": None, "y": "2"}}}, ("metadata", "labels"), {"y": "2"}),
        (MERGE, {"spec": {"taints": []}}, ("spec", "taints"), []),
        (STRATEGIC, {"spec": {"taints": [{"key": "n", "effect": "NoExecute"}]}}, ("spec", "taints", 1, "key"), "n"),
        (STRATEGIC, {"spec": {"taints": [{"key": "k", "$patch": "delete"}]}}, ("spec", "taints"), []),
        (STRATEGIC, {"spec": {"taints": [{"$patch": "replace"}]}}, ("spec", "taints"), []),
        (STRATEGIC, {"status": {"conditions": [UNREADY]}}, ("status", "conditions", 0, "status"), "False"),
        (JSON, [{"op": "replace", "path": "/metadata/labels/x", "value": "3"}], ("metadata", "labels", "x"), "3"),
        (JSON, [{"op": "remove", "path": "/spec/taints/0"}], ("spec", "taints"), []),
        (JSON, [{"op": "add", "path": "/spec/taints/-", "value": {"key": "z"}}], ("spec", "taints", 1), {"key": "z"}),
        (JSON, [{"op": "move", "from": "/metadata/name", "path": "/metadata/uid"}], ("metadata", "uid"), "a"),
        (JSON, [{"op": "copy", "from": "/metadata/name", "path": "/metadata/uid"}], ("metadata", "uid"), "a"),
    ],
)  # fmt: skip
def test_patches_do_what_their_standards_say(media_type: str, patch: Any, path: tuple[Any, ...], expected: Any) -> None:
    """RFC 7396, RFC 6902, and Kubernetes' own merging of lists by key; the original is left as it was."""
    before = repr(NODE)
    result = apply(NODE, patch, media_type)
    for part in path:
        result = result[part]
    assert result == expected
    assert repr(NODE) == before


@given(ANYTHING, st.sampled_from([JSON, MERGE, STRATEGIC, "text/plain"]))
def test_any_patch_is_applied_or_refused(patch: Any, media_type: str) -> None:
    """Whatever a patch holds, it is applied or refused with PatchError; nothing else escapes."""
    with suppress(PatchError):
        apply(NODE, patch, media_type)
