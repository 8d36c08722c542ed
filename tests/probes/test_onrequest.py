"""What is read on request: objects and journals, with nothing secret in them and nothing hostile."""

from collections.abc import AsyncGenerator, Sequence
from typing import cast

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.cluster import LabCluster
from probes.cluster import Wires
from probes.kube.client import Api, connect
from probes.kube.kubeconfig import read
from probes.model.flux import ObjectRef
from probes.model.kube import Node
from probes.model.observation import Completed
from probes.model.text import clean_lines
from probes.onrequest import HIDDEN, NotRead, OnRequest, write_manifest
from probes.transports.base import Transport, Unreachable
from tests.probes.worlds import healthy


class Host:
    """A host whose journalctl answers as it was told to."""

    host = "samwise"

    def __init__(self, *answers: Completed | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, ...]] = []

    async def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float) -> Completed:  # noqa: ARG002 - a Transport's
        self.asked.append(tuple(argv))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def lines(self, argv: Sequence[str], *, stdin: bytes = b"") -> AsyncGenerator[str, None]:  # noqa: ARG002 - Transport's signature
        for word in argv:
            yield word

    async def close(self) -> None:
        """Nothing is open."""


class NoApi:
    server = "https://127.0.0.1:1"
    context = "test"
    latency = None


def _asking(host: Host) -> OnRequest:
    async def transport(_name: str, _node: Node | None) -> Transport:
        return host

    return OnRequest(Wires(cast("Api", NoApi()), transport), healthy)


def _done(stdout: str = "", stderr: str = "", returncode: int = 0) -> Completed:
    return Completed(("journalctl",), returncode, stdout, stderr)


async def test_journal_of_the_unit() -> None:
    """The unit that the node has is asked for, bounded, without a pager; escapes come out as marks."""
    host = Host(_done("2026-11-21 \x1b[31mred\x1b[0m\tend\n"))
    text = await _asking(host).journal("samwise")
    assert "\x1b" not in text
    assert text.endswith("end\n")
    (argv,) = host.asked
    assert argv == ("journalctl", "-u", "k3s", "-n", "200", "--no-pager", "-o", "short-iso")


async def test_journal_through_sudo() -> None:
    """Where the login may not read the journal, sudo is asked without a prompt."""
    host = Host(
        _done("-- No entries --", "No journal files were opened due to insufficient permissions.", 1), _done("x")
    )
    assert await _asking(host).journal("samwise") == "x"
    assert host.asked[1][:2] == ("sudo", "-n")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Unreachable("samwise does not answer"), "samwise does not answer"),
        (_done("", "", 127), "has no journalctl"),
        (_done("", "sudo: a password is required", 1), "a password is required"),
    ],
)
async def test_journal_that_cannot_be_read(answer: Completed | Exception, said: str) -> None:
    """Why there is no journal is one sentence."""
    with pytest.raises(NotRead, match=said):
        await _asking(Host(answer)).journal("samwise")


async def test_objects_of_the_demo_cluster() -> None:
    """Nodes, pods and Flux objects are read by GET over the real protocol; what is gone or unknown says so."""
    async with LabCluster("healthy") as cluster:
        api = connect(read(cluster.kubeconfig))
        try:
            asking = OnRequest(Wires(api, _asking(Host())._wires.transport), healthy)
            node = next(iter(cluster.world.nodes))
            found = yaml.safe_load(await asking.manifest(ObjectRef("Node", "", node)))
            assert found["metadata"]["name"] == node
            assert "managedFields" not in found["metadata"]
            listed = msgspec.json.decode(await api.get("/apis/source.toolkit.fluxcd.io/v1/gitrepositories"))
            meta = listed["items"][0]["metadata"]
            text = await asking.manifest(ObjectRef("GitRepository", meta["namespace"], meta["name"]))
            assert yaml.safe_load(text)["kind"] == "GitRepository"
            with pytest.raises(NotRead, match="has no Node nobody any more"):
                await asking.manifest(ObjectRef("Node", "", "nobody"))
            with pytest.raises(NotRead, match="not an object of the API"):
                await asking.manifest(ObjectRef("Registry", "", "ghcr.io"))
            with pytest.raises(NotRead, match="never shown"):
                await asking.manifest(ObjectRef("Secret", "flux-system", "flux-system"))
            assert cluster.audit == []
        finally:
            await api.close()


def test_nothing_secret() -> None:
    """Values of keys that name a secret are left out at every depth; which secret is meant stays."""
    found = {
        "kind": "HelmRelease",
        "metadata": {"managedFields": [1], "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "x"}},
        "spec": {
            "secretRef": {"name": "credentials"},
            "valuesFrom": [{"kind": "Secret", "name": "values", "valuesKey": "token"}],
            "values": {"adminPassword": "hunter2", "auth": {"secretKey": "abc", "apiToken": "t0k"}, "replicas": 2},
        },
    }
    said = yaml.safe_load(write_manifest(found))
    assert said["metadata"] == {"annotations": {}}
    assert said["spec"]["secretRef"] == {"name": "credentials"}
    assert said["spec"]["values"]["adminPassword"] == HIDDEN
    assert said["spec"]["values"]["auth"]["apiToken"] == HIDDEN
    assert said["spec"]["values"]["replicas"] == 2
    secret = yaml.safe_load(write_manifest({"kind": "Secret", "data": {"a": "b"}, "stringData": {"c": "d"}}))
    assert secret["data"] == secret["stringData"] == HIDDEN


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=12), children, max_size=4),
    max_leaves=20,
)


@given(found=_JSON)
def test_whatever_the_api_says(found: object) -> None:
    """Any JSON becomes text without control, bidi or invisible characters."""
    text = write_manifest(found)
    assert text == clean_lines(text)
