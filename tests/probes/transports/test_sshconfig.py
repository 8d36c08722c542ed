"""ssh's configuration as we read it, held against what `ssh -G` makes of the same files."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probes.transports.base import ConfigRefused
from probes.transports.hostconfig import HostConfig, host_config, parse_jumps
from probes.transports.sshconfig import read_ssh_config

_COMPARED = ("hostname", "port", "user", "proxyjump", "hostkeyalias", "serveralivecountmax", "identitiesonly")


def resolve(path: Path, alias: str) -> HostConfig:
    return host_config(read_ssh_config(path), alias)


def ours(path: Path, alias: str) -> dict[str, str]:
    config = resolve(path, alias)
    return {
        "hostname": config.hostname,
        "port": str(config.port),
        "user": config.user,
        "proxyjump": config.proxy_jump or "",
        "hostkeyalias": config.host_key_alias or "",
        "serveralivecountmax": str(config.alive_count),
        "identitiesonly": "yes" if config.identities_only else "no",
        "identityfile": "" if config.default_key_files else " ".join(map(str, config.key_files)),
    }


def theirs(path: Path, alias: str) -> dict[str, str]:
    argv = ["ssh", "-G", "-F", str(path), alias]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL).stdout
    found = dict.fromkeys((*_COMPARED, "identityfile"), "")
    files = []
    for name, _, value in (line.partition(" ") for line in said.splitlines()):
        if name == "identityfile":
            files.append(str(Path(value.replace("%n", alias)).expanduser()))
        elif name in found:
            found[name] = value
    found["identityfile"] = "" if any(file.endswith("id_rsa") for file in files) else " ".join(files)
    return found


_CASES = {
    "first value wins": "Host n1\n Port 1\nHost *\n Port 2\n User late\n",
    "before any block": "User early\nHost n1\n User late\n",
    "patterns": "Host n? !n2\n Port 1\nHost *.example n[1]\n Port 2\nHost *\n Port 3\n",
    "negation alone matches nothing": "Host !n2\n Port 1\n",
    "equals signs and quotes": 'Host = "n1"\n Port=7\n User = "a b"\n'.replace("a b", "ab"),
    "comments": "# Host *\nHost n1 # here\n Port 9 # nine\n #Port 1\n",
    "tabs and case": "HOST\tn1\n\tpOrT\t8\n",
    "identity files add up": "Host n1\n IdentityFile /a/one\nHost *\n IdentityFile /a/two\n IdentityFile /a/one\n",
    "tokens": "Host n1\n HostName %h.example.com\n IdentityFile /keys/%n\n",
    "match host sees the new name": "Host n1\n HostName r\nMatch host r\n Port 4\nMatch originalhost n1\n User o\n",
    "match user": "Host n1\n User ops\nMatch user ops,guest\n Port 5\nMatch user !ops\n Port 6\n",
    "match all and negation": "Match !host n1\n Port 1\nMatch all\n Port 2\n",
    "match several": "Match originalhost n* user root host n1\n Port 3\nMatch originalhost n1 user nobody\n User x\n",
    "match exec": 'Match exec "test %n = n1"\n Port 3\nMatch !exec "true"\n Port 4\nMatch host x exec false\n User x\n',
    "match final": "Host n1\n HostName real.example\nMatch final host real.example\n Port 3\nHost n1\n User u\n",
    "match localuser": "Match localuser root,nobody\n Port 3\n",
    "include": "Include {folder}/more*\nHost *\n Port 1\n",
    "include in a block": "Host n2\n Include {folder}/more1\nHost n1\n Include {folder}/more2\nHost *\n Port 1\n",
    "include keeps the block": "Host n1\n Include {folder}/more1\n HostKeyAlias k\nHost n9\n Include {folder}/more2\n",
    "proxy jump none": "Host n1\n ProxyJump none\nHost *\n ProxyJump gate\n",
    "proxy command first": "Host n1\n ProxyCommand nc %h %p\nHost *\n ProxyJump gate\n",
    "host name in capitals": "Host n1\n HostName REAL.Example\n",
}


@pytest.mark.usefixtures("_ssh")
@pytest.mark.parametrize("name", _CASES)
def test_cases_as_ssh(tmp_path: Path, name: str) -> None:
    """Each rule of ssh_config(5) that we follow gives what `ssh -G` gives."""
    (tmp_path / "more1").write_text("Port 11\nHost n1\n User one\nHost n3\n User three\n")
    (tmp_path / "more2").write_text("User two\nHost other\n Port 12\n")
    path = tmp_path / "config"
    path.write_text(_CASES[name].format(folder=tmp_path))
    for alias in ("n1", "n2", "other", "n3"):
        assert ours(path, alias) == theirs(path, alias), alias


_pattern = st.sampled_from(["n1", "n2", "n*", "?1", "*", "!n2", "!n*", "*1", "real*", "n1,n2"])
_option = st.sampled_from(
    [
        "Port 1",
        "Port 2222",
        "User ops",
        "User  root ",
        "HostName real",
        "HostName %h.real",
        "HostKeyAlias=alias",
        "IdentityFile /a/one",
        'IdentityFile "/a/two"',
        "ProxyJump gate",
        "ProxyJump none",
        "IdentitiesOnly yes",
        "ServerAliveCountMax 7",
        "# Port 5",
        "",
    ]
)
_criterion = st.builds(
    lambda negated, name, pattern: f"{negated}{name} {pattern}",
    st.sampled_from(["", "", "!"]),
    st.sampled_from(["host", "originalhost", "user"]),
    st.sampled_from(["n1", "n*", "real", "real,n2", "!n1,*", "ops", "root", "*"]),
)
_head = st.one_of(
    st.lists(_pattern, min_size=1, max_size=3).map(lambda words: "Host " + " ".join(words)),
    st.lists(_criterion, min_size=1, max_size=3).map(lambda words: "Match " + " ".join(words)),
    st.just("Match all"),
)


@pytest.mark.usefixtures("_ssh")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_head, st.lists(_option, max_size=4)), max_size=6))
def test_any_configuration_as_ssh(tmp_path: Path, blocks: list[tuple[str, list[str]]]) -> None:
    """Blocks in any order and nesting of conditions resolve as `ssh -G` resolves them."""
    path = tmp_path / "config"
    path.write_text("".join(f"{head}\n" + "".join(f"  {line}\n" for line in body) for head, body in blocks))
    assert ours(path, "n1") == theirs(path, "n1")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.one_of(st.text(max_size=200), st.lists(st.one_of(_option, _head, st.text(max_size=20))).map("\n".join))
)
def test_garbage_is_one_sentence(tmp_path: Path, content: str) -> None:
    """Whatever a file holds, it is read or refused with one sentence that names file and line."""
    path = tmp_path / "config"
    path.write_text(content, encoding="utf-8", errors="surrogateescape")
    try:
        resolve(path, "n1")
        said = str(path)
    except ConfigRefused as error:
        said = str(error)
    assert "\n" not in said
    assert str(path) in said or "HostName" in said


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Port 70000", "'70000' is no number from 0 to 65535"),
        ("Port x", "'x' is no number"),
        ("IdentitiesOnly maybe", "'maybe' is neither yes nor no"),
        ("ConnectTimeout soon", "'soon' is no time"),
        ('User "x', "a quote is not closed"),
        ("User", "User has no value"),
        ("HostName a;b", "'a;b' is no host name"),
        ("User $(id)", "'$(id)' is no user name"),
        ("IdentityFile ${NO_SUCH_VARIABLE}/x", "${NO_SUCH_VARIABLE} is not set"),
        ("IdentityFile %Z", "the token %Z is not supported"),
        ("Match localnetwork 10.0.0.0/8", "`Match localnetwork` is not supported"),
        ("Match host", "Match host has no pattern"),
    ],
)
def test_bad_lines(tmp_path: Path, line: str, says: str) -> None:
    """A bad line is refused with its file, its number and what is wrong."""
    path = tmp_path / "config"
    path.write_text(f"Host *\n{line}\n")
    with pytest.raises(ConfigRefused) as caught:
        resolve(path, "n1")
    assert str(caught.value).startswith(f"{path} line 2: ")
    assert says in str(caught.value)


@pytest.mark.parametrize("alias", ["-oProxyCommand=x", "a b", "$(id)", "a;b", "", "a\nb", "a'b"])
def test_hostile_host_names(tmp_path: Path, alias: str) -> None:
    """A name that a shell or ssh could take for something else is refused before anything is done with it."""
    path = tmp_path / "config"
    path.write_text("Host *\n  ProxyCommand echo %n\n")
    with pytest.raises(ConfigRefused, match="is no host name"):
        resolve(path, alias)


def test_files_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's own file is refused, as ssh refuses it, when others can change it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    path = tmp_path / ".ssh" / "config"
    path.write_text("Host n1\n  Port 5\n")
    path.chmod(0o600)
    assert host_config(read_ssh_config(), "n1").port == 5
    path.chmod(0o666)
    with pytest.raises(ConfigRefused, match="can be changed by other users"):
        read_ssh_config()


def test_missing_file_and_endless_include(tmp_path: Path) -> None:
    """A file that is not there is named, and one that includes itself is refused instead of read for ever."""
    with pytest.raises(ConfigRefused, match="cannot read the ssh configuration: No such file"):
        read_ssh_config(tmp_path / "none")
    path = tmp_path / "config"
    path.write_text(f"Include {path}\n")
    with pytest.raises(ConfigRefused, match="nested Include"):
        read_ssh_config(path)


def test_many_hosts_are_read_once(tmp_path: Path) -> None:
    """Of 5,000 Host blocks each is found by its name: resolving all takes seconds of processor time, not minutes."""
    path = tmp_path / "config"
    blocks = "".join(f"Host node{i}\n  HostName 10.{i // 250}.{i % 250}.1\n  Port {1000 + i}\n" for i in range(5000))
    path.write_text(blocks + "Host *\n  User ops\n")
    config = read_ssh_config(path)
    started = time.process_time()
    assert all(config.names(f"node{i}") for i in range(5000))
    found = [host_config(config, f"node{i}") for i in range(5000)]
    assert time.process_time() - started < 20
    assert [host.port for host in found] == [1000 + i for i in range(5000)]
    assert {host.user for host in found} == {"ops"}


def test_named_hosts(tmp_path: Path) -> None:
    """A host counts as named by a Host line of its own or a pattern, also in an included file, but not by ``*``."""
    (tmp_path / "more").write_text("Host deep\n")
    path = tmp_path / "config"
    path.write_text(f"Host n1 n2\nHost db-* !db-9\nHost *\n  Include {tmp_path}/more\nMatch host other\n")
    config = read_ssh_config(path)
    named = [name for name in ("n1", "n2", "db-1", "db-9", "deep", "other", "n3") if config.names(name)]
    assert named == ["n1", "n2", "db-1", "deep"]


def test_jump_lists() -> None:
    """ProxyJump is a list of [user@]host[:port], IPv6 addresses in brackets."""
    assert parse_jumps("a,b@c:22,ssh://d@[::1]:5/", "x") == [(None, "a", None), ("b", "c", 22), ("d", "::1", 5)]
