"""Kubeconfig files, read as kubectl reads them (client-go tools/clientcmd): several merged, the first value wins.

Owns the format; knows no connection. Secrets live in ``Secret``, which shows itself to nobody.
"""

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import yaml

from probes.kube.errors import KubeconfigInvalid, detail

K3S_KUBECONFIG: Final = Path("/etc/rancher/k3s/k3s.yaml")
"""What k3s writes on a server; 0600 unless --write-kubeconfig-mode says otherwise."""
_LARGEST: Final = 16 * 2**20
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Secret:
    """A value that never shows itself: neither in repr, nor in str, nor encoded."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def reveal(self) -> Any:
        """Hand out the value, to whoever logs in with it."""
        return self._value

    def __repr__(self) -> str:
        return "<secret>"


class Pem(msgspec.Struct, frozen=True):
    """A certificate or key: its text, or the file that holds it."""

    data: Secret | None = None
    """bytes."""
    file: str = ""

    def read(self) -> bytes | None:
        """Read its text; None where there is none. Raises KubeconfigInvalid."""
        if self.data is not None:
            return bytes(self.data.reveal())
        return _read_file(self.file, "the kubeconfig names it") if self.file else None

    def __bool__(self) -> bool:
        return self.data is not None or bool(self.file)


class Impersonation(msgspec.Struct, frozen=True):
    """Whom to act as: kubectl's --as, from the kubeconfig."""

    user: str = ""
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Context(msgspec.Struct, frozen=True):
    """A context with its cluster and user: everything that a connection needs."""

    name: str
    server: str
    """Scheme, host and perhaps port and path; no trailing slash."""
    namespace: str = "default"
    ca: Pem = Pem()
    tls_server_name: str = ""
    insecure: bool = False
    proxy_url: str = ""
    cert: Pem = Pem()
    key: Pem = Pem()
    token: Secret | None = None
    token_file: str = ""
    basic: Secret | None = None
    """``user:password``."""
    exec_plugin: Secret | None = None
    """The exec section as read: its env may hold secrets."""
    auth_provider: Secret | None = None
    """The auth-provider section as read."""
    impersonate: Impersonation = Impersonation()


def plain(context: Context) -> bool:
    """Whether it can be served without a plugin, an auth-provider or a proxy."""
    return context.exec_plugin is None and context.auth_provider is None and not context.proxy_url


class _Cluster(msgspec.Struct, rename="kebab"):
    server: str | None = None
    certificate_authority: str | None = None
    certificate_authority_data: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool | None = None
    proxy_url: str | None = None


class _User(msgspec.Struct, rename="kebab"):
    client_certificate: str | None = None
    client_certificate_data: str | None = None
    client_key: str | None = None
    client_key_data: str | None = None
    token: str | None = None
    token_file: str | None = msgspec.field(default=None, name="tokenFile")
    username: str | None = None
    password: str | None = None
    exec: dict[str, Any] | None = None
    auth_provider: dict[str, Any] | None = None
    as_user: str | None = msgspec.field(default=None, name="as")
    as_groups: list[str] | None = None
    as_uid: str | None = None
    as_user_extra: dict[str, list[str]] | None = None


class _Link(msgspec.Struct):
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None


class _NamedCluster(msgspec.Struct):
    name: str
    cluster: _Cluster | None = None


class _NamedUser(msgspec.Struct):
    name: str
    user: _User | None = None


class _NamedContext(msgspec.Struct):
    name: str
    context: _Link | None = None


class _Document(msgspec.Struct, rename="kebab"):
    current_context: str | None = None
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


class Kubeconfig:
    """One or more kubeconfig files, merged; nothing of a context is checked before somebody asks for it."""

    def __init__(self, documents: list[tuple[Path, _Document]]) -> None:
        self.paths = tuple(path for path, _ in documents)
        self._current = next((d.current_context for _, d in documents if d.current_context), "")
        self._contexts: dict[str, _Link] = {}
        self._clusters: dict[str, tuple[Path, _Cluster]] = {}
        self._users: dict[str, tuple[Path, _User]] = {}
        for path, document in documents:
            for context in document.contexts or ():
                self._contexts.setdefault(context.name, context.context or _Link())
            for cluster in document.clusters or ():
                self._clusters.setdefault(cluster.name, (path, cluster.cluster or _Cluster()))
            for user in document.users or ():
                self._users.setdefault(user.name, (path, user.user or _User()))

    @property
    def contexts(self) -> tuple[str, ...]:
        """The names of all contexts, in the order of the files."""
        return tuple(self._contexts)

    @property
    def current(self) -> str:
        """The name of the current context; empty where none is set."""
        return self._current

    def reread(self) -> "Kubeconfig":
        """Read the same files again: somebody may have logged in anew. Raises KubeconfigInvalid."""
        return Kubeconfig([(path, _parse(path)) for path in self.paths])

    def context(self, name: str | None = None) -> Context:
        """Resolve a context, the current one by default; raises KubeconfigInvalid."""
        where = ", ".join(map(str, self.paths))
        wanted = name or self._current or (self.contexts[0] if len(self._contexts) == 1 else "")
        known = detail(", ".join(self._contexts)) or "none"
        if not wanted:
            raise KubeconfigInvalid(f"{where} sets no current-context; choose one with --context ({known})")
        link = self._contexts.get(wanted)
        if link is None:
            raise KubeconfigInvalid(f"there is no context “{detail(wanted)}” in {where}; it has: {known}")
        if not link.cluster or link.cluster not in self._clusters:
            raise KubeconfigInvalid(
                f"context “{detail(wanted)}” in {where} names the cluster “{detail(link.cluster or '')}”, "
                "which is not there; correct its cluster"
            )
        if link.user and link.user not in self._users:
            raise KubeconfigInvalid(
                f"context “{detail(wanted)}” in {where} names the user “{detail(link.user)}”, "
                "which is not there; correct its user"
            )
        cluster_path, cluster = self._clusters[link.cluster]
        user_path, user = self._users[link.user] if link.user else (cluster_path, _User())
        return _resolve(wanted, link, (cluster_path, cluster), (user_path, user))


def read(path: str | Path | None = None, environ: Mapping[str, str] = os.environ) -> Kubeconfig:
    """Read the kubeconfig of ``--kubeconfig``, else of KUBECONFIG, else ~/.kube/config, else k3s's own.

    As in client-go, files that KUBECONFIG names and that do not exist are skipped; an explicit path must exist.
    Raises KubeconfigInvalid.
    """
    if path:
        paths = [Path(path).expanduser()]
    elif environ.get("KUBECONFIG"):
        named = [Path(p).expanduser() for p in environ["KUBECONFIG"].split(os.pathsep) if p]
        paths = [p for p in named if p.exists()]
        if not paths:
            raise KubeconfigInvalid(f"KUBECONFIG names {', '.join(map(str, named))}, but there is no such file")
    else:
        home = Path(environ.get("HOME") or "~").expanduser() / ".kube" / "config"
        if not home.exists() and os.access(K3S_KUBECONFIG, os.R_OK):
            home = K3S_KUBECONFIG
        if not home.exists():
            raise KubeconfigInvalid(f"there is no kubeconfig at {home}; name one with --kubeconfig or KUBECONFIG")
        paths = [home]
    return Kubeconfig([(p, _parse(p)) for p in paths])


def _parse(path: Path) -> _Document:
    text = _read_file(str(path), "it should be the kubeconfig")
    try:
        document = yaml.load(text, Loader=_LOADER)  # noqa: S506 - the C twin of SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = detail(getattr(error, "problem", None) or "it cannot be read")
        raise KubeconfigInvalid(f"{path}{line} is not YAML: {problem}; correct it there") from error
    except (RecursionError, ValueError) as error:  # ValueError: an impossible date, an integer of too many digits
        raise KubeconfigInvalid(f"{path} is not a kubeconfig: a value in it cannot be read; write it anew") from error
    if not isinstance(document, dict):
        raise KubeconfigInvalid(f"{path} is not a kubeconfig: it should hold clusters, users and contexts")
    try:
        return msgspec.convert(document, _Document)
    except (msgspec.ValidationError, RecursionError) as error:
        raise KubeconfigInvalid(f"{path} is not a kubeconfig: {detail(str(error))}; correct it there") from error


def _read_file(path: str, why: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        problem = detail(getattr(error, "strerror", None) or "no such name is possible")
        raise KubeconfigInvalid(f"{detail(path)} cannot be read: {problem} ({why})") from error
    if len(data) > _LARGEST:
        raise KubeconfigInvalid(f"{detail(path)} is larger than {_LARGEST // 2**20} MiB; {why}")
    return data


def _resolve(name: str, link: _Link, clustered: tuple[Path, _Cluster], used: tuple[Path, _User]) -> Context:
    (cluster_path, cluster), (user_path, user) = clustered, used
    ca = _pem(cluster.certificate_authority_data, cluster.certificate_authority, cluster_path, "certificate-authority")
    cert = _pem(user.client_certificate_data, user.client_certificate, user_path, "client-certificate")
    key = _pem(user.client_key_data, user.client_key, user_path, "client-key")
    if bool(cert) != bool(key):
        raise KubeconfigInvalid(
            f"user “{detail(link.user or '')}” in {user_path} needs client-certificate and client-key"
        )
    _require_text(user.token, f"the token of user “{detail(link.user or '')}” in {user_path}")
    return Context(
        name=name,
        server=_server(cluster, link.cluster or "", cluster_path, tls=bool(ca or cert)),
        namespace=link.namespace or "default",
        ca=ca,
        tls_server_name=cluster.tls_server_name or "",
        insecure=bool(cluster.insecure_skip_tls_verify),
        proxy_url=cluster.proxy_url or "",
        cert=cert,
        key=key,
        token=Secret(user.token) if user.token else None,
        token_file=_absolute(user.token_file, user_path),
        basic=Secret(f"{user.username}:{user.password or ''}") if user.username else None,
        exec_plugin=Secret(_located(user.exec, user_path)) if user.exec else None,
        auth_provider=Secret(user.auth_provider) if user.auth_provider else None,
        impersonate=_impersonation(user, user_path),
    )


def _server(cluster: _Cluster, name: str, path: Path, *, tls: bool) -> str:
    server = (cluster.server or "").strip()
    if server and "://" not in server:
        server = f"{'https' if tls else 'http'}://{server}"
    server = server.rstrip("/")
    try:
        parts = urlsplit(server)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        usable = usable and not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable = False
    if not usable or not server.isascii() or not server.isprintable() or " " in server:
        raise KubeconfigInvalid(
            f"the server of cluster “{detail(name)}” in {path} is not an address such as https://192.0.2.10:6443"
        )
    return server


def _pem(data: str | None, file: str | None, path: Path, what: str) -> Pem:
    if not data:
        return Pem(file=_absolute(file, path))
    try:
        return Pem(data=Secret(base64.b64decode("".join(data.split()), validate=True)))
    except (binascii.Error, ValueError) as error:
        raise KubeconfigInvalid(f"{what}-data in {path} is not base64; copy it again") from error


def _absolute(file: str | None, path: Path) -> str:
    return str(path.absolute().parent / file) if file else ""


def _located(section: dict[str, Any], path: Path) -> dict[str, Any]:
    """Take a command with a slash as relative to its kubeconfig, as client-go does; others are found on PATH."""
    command = section.get("command")
    relative = isinstance(command, str) and "/" in command
    return {**section, "command": _absolute(command, path)} if relative else section


def _require_text(value: str | None, what: str) -> None:
    """Refuse a header value that a line break or a control character could split in two."""
    if value is not None and not (value.isascii() and value.isprintable()):
        raise KubeconfigInvalid(f"{what} holds characters that no header may hold; copy it again")


def _impersonation(user: _User, path: Path) -> Impersonation:
    extra = tuple((key, tuple(values)) for key, values in (user.as_user_extra or {}).items())
    groups = tuple(user.as_groups or ())
    for value in (user.as_user, user.as_uid, *groups, *(v for _, values in extra for v in values)):
        _require_text(value, f"one of as, as-uid, as-groups and as-user-extra in {path}")
    if (groups or user.as_uid or extra) and not user.as_user:
        raise KubeconfigInvalid(f"{path} sets as-groups, as-uid or as-user-extra without as; say whom to act as")
    return Impersonation(user=user.as_user or "", groups=groups, uid=user.as_uid or "", extra=extra)
