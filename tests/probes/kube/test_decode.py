"""Decoding what is broken, hostile or random."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probes.kube.core import LEASES, NODES, PODS
from probes.kube.decode import Decoder, unreadable_sentence
from probes.kube.errors import AnswerInvalid
from probes.kube.events import PULL_EVENTS, SECRET_EVENTS
from probes.kube.external_secrets import secret_decoder
from probes.kube.flux import flux_decoder
from probes.model.text import clean

DECODERS: dict[str, Decoder[Any, Any]] = {
    "nodes": NODES,
    "leases": LEASES,
    "pods": PODS,
    "pull_events": PULL_EVENTS,
    "secret_events": SECRET_EVENTS,
    "GitRepository": flux_decoder("GitRepository", "source.toolkit.fluxcd.io/v1"),
    "HelmRelease": flux_decoder("HelmRelease", "helm.toolkit.fluxcd.io/v2"),
    "ExternalSecret": secret_decoder("ExternalSecret", "external-secrets.io/v1"),
    "ClusterSecretStore": secret_decoder("ClusterSecretStore", "external-secrets.io/v1"),
}
NAMES = sorted(DECODERS)
HOSTILE = "evil\x1b[2J\x9b31m\n\u202e[@click=app.bell]x[/nope]\x00\u200b"


def strings_of(value: Any) -> list[str]:
    """All strings in a value, however deep."""
    match value:
        case str():
            return [value]
        case dict():
            return [s for pair in value.items() for part in pair for s in strings_of(part)]
        case list() | tuple():
            return [s for part in value for s in strings_of(part)]
    return []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"items":[', b'{"items":[{"metadata":{"name":"a"', b"[]", b"null", b"7", b"\xff"]
)
def test_what_is_no_list_is_one_clear_error(name: str, raw: bytes) -> None:
    """A list that is cut, or none at all, is AnswerInvalid in one sentence, never a partial list."""
    with pytest.raises(AnswerInvalid, match="cannot be read") as caught:
        DECODERS[name].page(raw)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "raw", [b"{}", b'{"items":null}', b'{"items":[],"metadata":null}', b'{"metadata":{"continue":null}}']
)
def test_an_empty_list_is_empty(name: str, raw: bytes) -> None:
    """The API may leave items out or say null where it means none."""
    page = DECODERS[name].page(raw)

    assert (page.items, page.unreadable, page.next_page) == ({}, [], "")


def test_one_bad_object_does_not_take_the_others_with_it() -> None:
    """An object of a wrong shape is named with what is wrong; all others are read."""
    items = [
        {"metadata": {"name": "a"}},
        {"metadata": {"name": "bad"}, "status": {"addresses": "none"}},
        {"metadata": {"name": 7}},
        None,
        {"metadata": {"name": "b"}},
    ]

    page = NODES.page(json.dumps({"metadata": {"resourceVersion": "5", "continue": "c"}, "items": items}).encode())

    assert list(page.items) == ["a", "b"]
    assert (page.resource_version, page.next_page) == ("5", "c")
    assert [text.split(" cannot")[0] for text in page.unreadable] == ["bad", "an object", "an object"]
    assert "$.status.addresses" in page.unreadable[0]


def test_a_sentence_names_three_of_many() -> None:
    """However many objects are unreadable, the sentence stays short."""
    sentence = unreadable_sentence([f"o{i} cannot be read" for i in range(900)], "1000 objects of pods")

    assert sentence.startswith("900 of 1000 objects of pods could not be read: o0 cannot be read; o1")
    assert "and 897 more" in sentence


@pytest.mark.parametrize(
    ("written", "kernel"),
    [
        ("fd00:10:42:0::/64", "fd00:10:42::/64"),
        ("FD00:0010:42:1::/64", "fd00:10:42:1::/64"),
        ("fd00:10:42:1::5/64", "fd00:10:42:1::/64"),
        ("fd00:10:42:1::/640", "fd00:10:42:1::/640"),
        ("10.42.0.0/24", "10.42.0.0/24"),
    ],
)
def test_a_pod_cidr_is_written_as_the_kernel_writes_it(written: str, kernel: str) -> None:
    """IPv6 may be written in many ways, and is held against what ``ip route`` shows."""
    flannel = {"public-ipv6": "2001:DB8:0:0::1", "public-ipv6-overwrite": "nowhere"}
    annotations = {f"flannel.alpha.coreos.com/{key}": value for key, value in flannel.items()}
    wire = {"metadata": {"name": "a", "annotations": annotations}, "spec": {"podCIDRs": [written]}}
    _, node, _ = NODES.object(json.dumps(wire).encode())
    assert node is not None
    assert node.pod_cidrs == (kernel,)
    assert (node.flannel.public_ipv6, node.flannel.public_ipv6_overwrite) == ("2001:db8::1", "nowhere")


def test_no_hostile_string_survives() -> None:
    """Controls, newlines, bidi overrides and invisible characters in any field are visible marks in the model."""
    meta = {"name": HOSTILE, "namespace": HOSTILE, "uid": HOSTILE, "labels": {"app": HOSTILE}}
    condition = {"type": HOSTILE, "status": HOSTILE, "reason": HOSTILE, "message": HOSTILE}
    annotations = {
        "flannel.alpha.coreos.com/backend-type": HOSTILE,
        "flannel.alpha.coreos.com/backend-data": json.dumps({"VtepMAC": HOSTILE, "PublicKey": HOSTILE}),
        "k3s.io/node-args": json.dumps([HOSTILE]),
        "etcd.k3s.cattle.io/" + HOSTILE: HOSTILE,
    }
    ref = {"kind": HOSTILE, "name": HOSTILE, "namespace": HOSTILE}
    node_labels = {"node-role.kubernetes.io/" + HOSTILE: "", "k3s.io/" + HOSTILE: HOSTILE}
    wires: dict[str, Any] = {
        "nodes": {
            "metadata": {**meta, "labels": node_labels, "annotations": annotations},
            "spec": {"podCIDRs": [HOSTILE], "taints": [{"key": HOSTILE, "value": HOSTILE, "effect": HOSTILE}]},
            "status": {
                "addresses": [{"type": t, "address": HOSTILE} for t in ("InternalIP", "ExternalIP", "Hostname")],
                "conditions": [condition],
                "nodeInfo": {"kubeletVersion": HOSTILE, "kernelVersion": HOSTILE, "osImage": HOSTILE},
            },
        },
        "leases": {"metadata": meta},
        "pods": {
            "metadata": {**meta, "ownerReferences": [{**ref, "controller": True}]},
            "spec": {"nodeName": HOSTILE, "containers": [{"name": HOSTILE, "image": HOSTILE}]},
            "status": {
                "phase": HOSTILE,
                "podIPs": [{"ip": HOSTILE}],
                "containerStatuses": [
                    {"name": HOSTILE, "image": HOSTILE, "state": {"waiting": {"reason": HOSTILE, "message": HOSTILE}}}
                ],
            },
        },
        "pull_events": {
            "metadata": meta,
            "involvedObject": {**ref, "kind": "Pod"},
            "reason": "Failed",
            "message": f'Failed to pull image "{HOSTILE}"',
            "source": {"host": HOSTILE},
        },
        "secret_events": {
            "metadata": meta,
            "involvedObject": {**ref, "kind": "SecretStore"},
            "type": "Warning",
            "reason": HOSTILE,
            "message": HOSTILE,
        },
        "GitRepository": {
            "metadata": {**meta, "annotations": {"reconcile.fluxcd.io/requestedAt": HOSTILE}},
            "spec": {"url": HOSTILE, "secretRef": ref, "sourceRef": ref, "dependsOn": [ref], "interval": HOSTILE},
            "status": {
                "conditions": [condition],
                "artifact": {"revision": HOSTILE},
                "lastHandledReconcileAt": HOSTILE,
                "lastAttemptedRevision": HOSTILE,
            },
        },
        "HelmRelease": {
            "metadata": meta,
            "spec": {"endpoint": HOSTILE, "bucketName": HOSTILE},
            "status": {"helmChart": f"{HOSTILE}/{HOSTILE}", "history": [{"chartVersion": HOSTILE}]},
        },
        "ExternalSecret": {
            "metadata": meta,
            "spec": {"secretStoreRef": ref, "target": ref},
            "status": {"binding": ref, "conditions": [condition]},
        },
        "ClusterSecretStore": {"metadata": meta, "spec": {"provider": {HOSTILE: {}}}},
    }
    assert sorted(wires) == NAMES

    for name, wire in wires.items():
        key, value, _ = DECODERS[name].object(json.dumps(wire).encode())
        assert value is not None, name
        for text in [key, *strings_of(msgspec.to_builtins(value))]:
            assert text == clean(text), (name, text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    ["metadata", "spec", "status", "name", "namespace", "conditions", "annotations", "labels", "addresses", "podCIDRs",
     "taints", "containers", "containerStatuses", "podIPs", "involvedObject", "reason", "message", "count", "series",
     "artifact", "history", "chart", "sourceRef", "provider", "secretStoreRef", "type", "kind", "renewTime", "items"]
)  # fmt: skip
SHAPED = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5), max_leaves=25
)
OBJECTS = st.dictionaries(FIELDS, SHAPED, max_size=6) | st.builds(
    lambda meta, rest: {**rest, "metadata": {**meta, "name": "n"}},
    st.dictionaries(FIELDS, SHAPED, max_size=4),
    st.dictionaries(FIELDS, SHAPED, max_size=4),
)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(items=st.lists(OBJECTS, max_size=4))
def test_any_objects_are_read_or_named(name: str, items: list[Any]) -> None:
    """Whatever objects a list holds, each is read, of no interest, or named as unreadable; nothing raises."""
    page = DECODERS[name].page(json.dumps({"items": items}).encode())

    assert len(page.items) + len(page.unreadable) <= len(items)
    for value in page.items.values():
        for text in strings_of(msgspec.to_builtins(value)):
            assert text == clean(text)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(raw=st.binary(max_size=60) | SHAPED.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_answer_or_invalid(name: str, raw: bytes) -> None:
    """Bytes of any kind are a list, an object, or AnswerInvalid."""
    for read in (DECODERS[name].page, DECODERS[name].object):
        with contextlib.suppress(AnswerInvalid):
            read(raw)
