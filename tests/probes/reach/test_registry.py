"""Registries: names of images, challenges, manifests, and what several tries come to."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.reach import Attempt
from probes.reach import registry
from probes.reach.http import Exchange
from probes.reach.registry import Challenge, Image, Layer
from probes.reach.request import Answer

DIGEST = f"sha256:{'a' * 64}"
OTHER = f"sha256:{'b' * 64}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nginx", "registry-1.docker.io/library/nginx:latest"),
        ("docker.io/rancher/busybox:1.37.0", "registry-1.docker.io/rancher/busybox:1.37.0"),
        ("ghcr.io/fluxcd/helm-controller:v1.5.1", "ghcr.io/fluxcd/helm-controller:v1.5.1"),
        ("registry.test:5000/a/b", "registry.test:5000/a/b:latest"),
        (f"quay.io/a/b@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
        (f"quay.io/a/b:1@{DIGEST}", f"quay.io/a/b@{DIGEST}"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("docker.io", "registry-1.docker.io"),
    ],
)
def test_images_are_named_as_containerd_names_them(text: str, shown: str) -> None:
    """Docker's short names are filled up, a registry may be named alone."""
    assert registry.parse_image(text).shown == shown


@pytest.mark.parametrize(
    "text", ["ghcr.io/UPPER/x", "ghcr.io/a:b:c", "ghcr.io/a@sha256:1", "-x/y", "a b", "ghcr.io/../x"]
)
def test_what_is_no_image_is_refused(text: str) -> None:
    """With one sentence."""
    with pytest.raises(ValueError, match=r"no image|no registry"):
        registry.parse_image(text)


@given(text=st.text(max_size=60))
def test_garbage_is_an_image_or_refused(text: str) -> None:
    """Nothing else is ever raised."""
    try:
        registry.parse_image(text)
    except ValueError:
        return


def answer(status: int, text: str = "", **headers: str) -> Answer:
    return Answer(
        Exchange("2", status=status), {name.replace("_", "-"): value for name, value in headers.items()}, text
    )


def test_a_challenge_is_read() -> None:
    """Realm and service of a Bearer challenge; Basic, and a realm that is no https URL, are none."""
    said = 'Bearer realm="https://auth.test/token",service="registry.test",scope="x"'
    challenge = registry.challenge_of(answer(401, www_authenticate=said))
    assert challenge == Challenge("https://auth.test/token", "registry.test")
    image = registry.parse_image("registry.test/a/b:1")
    asked = registry.token_request(challenge, image).url
    assert asked == "https://auth.test/token?service=registry.test&scope=repository:a/b:pull"
    for odd in ('Basic realm="x"', 'Bearer realm="http://auth.test/"', 'Bearer realm="file:///etc"', ""):
        assert registry.challenge_of(answer(401, www_authenticate=odd)) is None


def test_a_token_goes_nowhere_else() -> None:
    """A redirect is followed without it, and to https alone."""
    image, layer = Image("registry.test", "a/b", "1"), Layer(DIGEST, 1)
    asked = registry.blob_request(image, layer, "secret")
    assert dict(asked.headers) == {"Authorization": "Bearer secret"}
    onward = registry.elsewhere(answer(307, location="https://blobs.test/x?sig=1"), asked.url)
    assert onward is not None
    assert (onward.url, onward.headers) == ("https://blobs.test/x?sig=1", ())
    for odd in ("http://blobs.test/x", "file:///etc/passwd", ""):
        assert registry.elsewhere(answer(307, location=odd), asked.url) is None
    assert registry.token_of(answer(200, '{"token": "x\\ny"}')) == ""


def test_of_an_image_the_smallest_layer_that_says_something_is_asked_for() -> None:
    """Linux on amd64 of an index; of its layers the smallest of 64 KiB or more, else the largest."""
    several = [
        {"digest": OTHER, "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": DIGEST, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    assert registry.read_manifest(msgspec.json.encode({"manifests": several}).decode()) == (DIGEST, None)
    layers = [{"digest": OTHER, "size": 9}, {"digest": DIGEST, "size": 70000}, {"digest": OTHER, "size": 900000}]
    assert registry.read_manifest(msgspec.json.encode({"layers": layers}).decode()) == ("", Layer(DIGEST, 70000))
    assert registry.read_manifest(msgspec.json.encode({"layers": layers[:1]}).decode()) == ("", Layer(OTHER, 9))
    for odd in ("", "[]", "{}", '{"layers": [{"digest": "x"}]}', '{"manifests": null}'):
        assert registry.read_manifest(odd) == ("", None)


def test_limits_are_said() -> None:
    """As the registry's headers have them."""
    headers = {
        "ratelimit-limit": "100;w=21600",
        "ratelimit-remaining": "3;w=21600",
        "docker-ratelimit-source": "192.0.2.1",
    }
    assert registry.limits_of(headers) == "3 of 100 left in 21600 s, counted for 192.0.2.1"
    assert registry.limits_of({}) == ""


QUICK = {"dns": 0.01, "connect": 0.01, "tls": 0.05, "challenge": 0.05, "token": 0.1, "manifest": 0.1}
GOOD = Attempt(seconds=QUICK | {"blob": 0.2}, answer="ok")
BLOB = Attempt(seconds=QUICK | {"blob": 5.0}, answer="ok")
ALL = Attempt(seconds=dict.fromkeys(QUICK, 2.0) | {"blob": 5.0}, answer="ok")
LOST = Attempt(seconds=QUICK, failed="blob", reason="blobs.test: at transfer: no end", answer="ok")


@pytest.mark.parametrize(
    ("tries", "outcome", "phase"),
    [
        ([GOOD, GOOD], "ok", ""),
        ([BLOB, BLOB], "slow-blob", "blob"),
        ([ALL, ALL], "slow", "blob"),
        ([LOST, LOST], "fails", "blob"),
        ([GOOD, LOST], "random", "blob"),
        ([Attempt(answer="rate-limited", reason="429")], "rate-limited", ""),
        ([Attempt(unable="there is no curl there")], "unassessed", ""),
        ([], "unassessed", ""),
    ],
)
def test_verdicts(tries: Sequence[Attempt], outcome: str, phase: str) -> None:
    """A slow blob host is told from a registry that is slow altogether."""
    found = registry.judge(tries)
    assert (found.outcome, found.phase) == (outcome, phase)
