"""A watch cut into chunks of any kind."""

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from probes.kube.core import NODES
from probes.kube.errors import ApiError
from probes.kube.resources import CORE, Resource
from probes.kube.watch import Digest, Rhythm, make_chunks
from tests.probes.kube.fake import bookmark, error_event, event

PATH = "/api/v1/nodes"
RESOURCE = CORE[0]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [
                event("ADDED", "a", "1"),
                event("DELETED", "a", "2"),
                bookmark("5", initial_end=True),
                bookmark("6"),
                error_event(410, "Gone"),
                event("ADDED", "b", "1", status=7),
            ]
        ).map(lambda line: line + b"\n"),
        max_size=8,
    ),
    st.booleans(),
)
async def test_any_chunks_are_changes_or_one_of_our_errors(chunks: list[bytes], initial: bool) -> None:  # noqa: FBT001
    """However a stream is cut into chunks and whatever is in it, nothing but ApiError comes out."""
    queue = make_chunks()
    for chunk in [b"", *chunks, None]:
        queue.put_nowait(chunk)
    digest = Digest(_Nowhere(), Resource("kube/nodes", PATH, NODES), Rhythm(gather=0), initial=initial)
    with contextlib.suppress(ApiError):
        async for changes in digest.read(queue):
            assert not changes.changed.keys() & changes.removed.keys()


class _Nowhere:
    """An API that is only a name."""

    server = "https://192.0.2.10:6443"
    context = "lab"
    latency = None

    async def get(self, path: str, query: object = (), *, timeout: float = 0) -> bytes:
        raise NotImplementedError

    async def stream(self, path: str, query: object = (), *, idle: float = 0) -> Any:
        yield f"{path}{query}{idle}".encode()

    async def close(self) -> None:
        """Nothing is open."""
