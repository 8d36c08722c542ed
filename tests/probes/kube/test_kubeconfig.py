"""Kubeconfig files: merged, resolved, or refused in one clear sentence."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.kube import kubeconfig
from probes.kube.errors import KubeconfigInvalid
from probes.kube.kubeconfig import Kubeconfig, Secret, plain, read

GOOD: dict[str, Any] = {
    "current-context": "a",
    "contexts": [
        {"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "flux-system"}},
        {"name": "b", "context": {"cluster": "c"}},
    ],
    "clusters": [
        {"name": "c", "cluster": {"server": "https://192.0.2.10:6443/", "certificate-authority": "pki/ca.crt"}}
    ],
    "users": [{"name": "u", "user": {"token": "geheim"}}],
}


def write(path: Path, document: Any) -> Path:
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document), "utf-8")
    return path


def user(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "users": [{"name": "u", "user": fields}]}


def cluster(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "clusters": [{"name": "c", "cluster": fields}]}


def test_a_context_is_resolved(tmp_path: Path) -> None:
    """The current context has its server without a trailing slash, and files relative to the kubeconfig."""
    config = read(write(tmp_path / "config", GOOD))

    context = config.context()

    assert config.contexts == ("a", "b")
    assert config.current == "a"
    assert (context.name, context.server, context.namespace) == ("a", "https://192.0.2.10:6443", "flux-system")
    assert context.ca.file == str(tmp_path / "pki" / "ca.crt")
    assert context.token is not None
    assert context.token.reveal() == "geheim"
    assert plain(context)


def test_a_context_without_user_has_no_credentials(tmp_path: Path) -> None:
    """A context need not name a user."""
    context = read(write(tmp_path / "config", GOOD)).context("b")

    assert context.token is None
    assert not context.cert


def test_several_files_are_merged_and_the_first_value_wins(tmp_path: Path) -> None:
    """KUBECONFIG names several files; missing ones are skipped, and what comes first stays."""
    one = write(tmp_path / "one", {**GOOD, "current-context": ""})
    other = {
        "current-context": "d",
        "contexts": [{"name": "a", "context": {"cluster": "x"}}, {"name": "d", "context": {"cluster": "d"}}],
        "clusters": [{"name": "d", "cluster": {"server": "https://198.51.100.1", "certificate-authority": "ca.crt"}}],
    }
    (tmp_path / "sub").mkdir()
    two = write(tmp_path / "sub" / "two", other)
    environ = {"KUBECONFIG": os.pathsep.join(map(str, (tmp_path / "missing", one, two)))}

    config = read(environ=environ)

    assert config.contexts == ("a", "b", "d")
    assert config.context().name == "d"
    assert config.context("a").server == "https://192.0.2.10:6443"
    assert config.context("d").ca.file == str(tmp_path / "sub" / "ca.crt")


def test_the_default_is_in_the_home_folder(tmp_path: Path) -> None:
    """Without KUBECONFIG it is ~/.kube/config."""
    (tmp_path / ".kube").mkdir()
    write(tmp_path / ".kube" / "config", GOOD)

    assert read(environ={"HOME": str(tmp_path)}).current == "a"


def test_a_k3s_server_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no ~/.kube/config, what k3s wrote is taken if it can be read."""
    monkeypatch.setattr(kubeconfig, "K3S_KUBECONFIG", write(tmp_path / "k3s.yaml", GOOD))

    assert read(environ={"HOME": str(tmp_path)}).current == "a"


def test_the_only_context_needs_no_choice(tmp_path: Path) -> None:
    """Without current-context, a file that has one context means that one."""
    document = {**GOOD, "contexts": GOOD["contexts"][:1]}
    del document["current-context"]

    assert read(write(tmp_path / "config", document)).context().name == "a"


def test_secrets_show_themselves_to_nobody(tmp_path: Path) -> None:
    """No secret is in the repr, str or rich repr of a context or of its parts."""
    document = user(
        **{
            "token": "geheim",
            "username": "u",
            "password": "geheim",
            "client-certificate-data": "Z2VoZWlt",
            "client-key-data": "Z2VoZWlt",
            "exec": {"command": "p", "apiVersion": "v1", "env": [{"name": "T", "value": "geheim"}]},
            "auth-provider": {"name": "oidc", "config": {"refresh-token": "geheim"}},
        },
    )

    context = read(write(tmp_path / "config", document)).context()

    told = f"{context!r} {context} {list(context.__rich_repr__())} {Secret('geheim')!s}"
    assert "geheim" not in told
    assert "Z2VoZWlt" not in told
    assert not plain(context)


@pytest.mark.parametrize(
    "server", ["192.0.2.10:6443", "https://[2001:db8::1]:6443", "https://rancher.example.com/k8s/clusters/x"]
)
def test_servers_in_every_form(tmp_path: Path, server: str) -> None:
    """An address without a scheme is https where there is a CA, as in kubectl; IPv6 and paths are fine."""
    config = read(write(tmp_path / "config", cluster(server=server, **{"certificate-authority": "ca"})))

    assert config.context().server == (server if "://" in server else f"https://{server}")


def test_impersonation_is_read(tmp_path: Path) -> None:
    """The fields as, as-groups, as-uid and as-user-extra say whom to act as."""
    fields = {"as": "jane", "as-groups": ["dev", "ops"], "as-uid": "7", "as-user-extra": {"Team/x": ["a", "b"]}}

    who = read(write(tmp_path / "config", user(**fields))).context().impersonate

    assert (who.user, who.groups, who.uid, who.extra) == ("jane", ("dev", "ops"), "7", (("Team/x", ("a", "b")),))


def test_a_plugin_beside_its_kubeconfig_is_found_there(tmp_path: Path) -> None:
    """A command with a slash is relative to its kubeconfig; one without is left for PATH."""
    for command, expected in (("./bin/plugin", str(tmp_path / "bin" / "plugin")), ("aws", "aws")):
        document = user(exec={"command": command, "apiVersion": "v1"})
        plugin = read(write(tmp_path / "config", document)).context().exec_plugin
        assert plugin is not None
        assert plugin.reveal()["command"] == expected


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("", "should hold clusters"),
        ("just text", "should hold clusters"),
        ("a: [", "line 2 is not YAML"),
        ("a: b\n\tc: d", "line 2 is not YAML"),
        ("a: !!python/object:os.system x", "not YAML"),
        ("a: 2026-99-99T00:00:00Z", "cannot be read"),
        ("- " * 5000, "not a kubeconfig"),
        ({"contexts": "x"}, "Expected `array | null`, got `str` - at `$.contexts`"),
        ({"contexts": [{"context": {}}]}, "missing required field `name`"),
        ({"clusters": [{"name": "c", "cluster": {"server": 7}}]}, "$.clusters[0].cluster.server"),
        ({"users": [{"name": "u", "user": {"as-groups": "x"}}]}, "$.users[0].user.as-groups"),
        (b"\xff\xfe\x00".decode("latin1"), "not YAML"),
    ],
    ids=str,
)
def test_a_malformed_file_is_one_sentence(tmp_path: Path, document: Any, says: str) -> None:
    """A file that is no kubeconfig is named, with what is wrong in it."""
    path = write(tmp_path / "config", document)

    with pytest.raises(KubeconfigInvalid) as caught:
        read(path)

    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("document", "name", "says"),
    [
        (GOOD, "nope", "there is no context “nope” in"),
        (GOOD, "x\x1b[2J", "“x␛[2J”"),
        ({**GOOD, "current-context": "gone"}, None, "there is no context “gone”"),
        ({**GOOD, "current-context": None}, None, "sets no current-context; choose one with --context (a, b)"),
        ({**GOOD, "clusters": None}, None, "names the cluster “c”, which is not there"),
        ({**GOOD, "users": []}, None, "names the user “u”, which is not there"),
        (cluster(), None, "is not an address such as"),
        (cluster(server="ftp://h"), None, "is not an address such as"),
        (cluster(server="https://"), None, "is not an address such as"),
        (cluster(server="https://h:99999"), None, "is not an address such as"),
        (cluster(server="https://u:p@h"), None, "is not an address such as"),
        (cluster(server="https://h\n"), "a", None),
        (cluster(server="https://h h"), None, "is not an address such as"),
        (cluster(server="https://h", **{"certificate-authority-data": "%%%"}), None, "certificate-authority-data in"),
        (user(**{"client-certificate": "c"}), None, "needs client-certificate and client-key"),
        (user(**{"client-key-data": "!"}), None, "client-key-data in"),
        (user(token="a\nInjected: b"), None, "no header may hold"),  # noqa: S106
        (user(**{"as": "a\r\nb"}), None, "no header may hold"),
        (user(**{"as-groups": ["x"]}), None, "without as"),
    ],
)  # fmt: skip
def test_a_context_that_cannot_be_used_is_one_sentence(
    tmp_path: Path, document: Any, name: str | None, says: str | None
) -> None:
    """A context that is not there, or points to nothing, says so and what there is instead."""
    config = read(write(tmp_path / "config", document))
    if says is None:
        assert config.context(name).server == "https://h"
        return

    with pytest.raises(KubeconfigInvalid) as caught:
        config.context(name)

    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing path, a folder and an impossible name each are one sentence."""
    for path in (tmp_path / "missing", tmp_path, "a\0b"):
        with pytest.raises(KubeconfigInvalid, match="cannot be read"):
            read(path)
    with pytest.raises(KubeconfigInvalid, match="no such file"):
        read(environ={"KUBECONFIG": str(tmp_path / "missing")})


def test_no_kubeconfig_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is none, it says where it looked and how to name one."""
    monkeypatch.setattr(kubeconfig, "K3S_KUBECONFIG", tmp_path / "none")

    with pytest.raises(KubeconfigInvalid, match=r"no kubeconfig at .*\.kube/config; name one with --kubeconfig"):
        read(environ={"HOME": str(tmp_path)})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(max_size=80)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*GOOD, "name", "context", "cluster", "user", "server", "token"]), inner),
        max_leaves=15,
    ).map(lambda document: yaml.safe_dump(document))
)
def test_any_text_is_a_kubeconfig_or_a_sentence(tmp_path: Path, text: str) -> None:
    """Whatever a file holds, it is read or refused with KubeconfigInvalid."""
    path = tmp_path / "any"
    path.write_bytes(text.encode("utf-8", "replace"))
    try:
        config = read(path)
    except KubeconfigInvalid:
        return
    assert isinstance(config, Kubeconfig)
    for name in config.contexts:
        try:
            config.context(name)
        except KubeconfigInvalid:
            continue
