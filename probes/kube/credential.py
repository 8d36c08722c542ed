"""Credentials that another program gives: exec plugins (client.authentication.k8s.io v1, v1beta1).

The official client runs such a plugin with our terminal as its standard input, does not tell it the cluster, and goes
on anonymously when it fails; here it gets no terminal, is told the cluster where it asks, and a failure is an error.
"""

import asyncio
import base64
import contextlib
import json
import os
import signal
from typing import Any, Final

import msgspec

from probes.kube.errors import CredentialsFailed, detail
from probes.kube.kubeconfig import Context, Secret
from probes.kube.scalars import epoch

_PATIENCE: Final = 60.0
"""Seconds for a plugin; it may ask a cloud."""
_LARGEST: Final = 1 << 20


class Credential(msgspec.Struct, frozen=True):
    """What a plugin gave: a token, or a client certificate, and until when."""

    token: Secret | None = None
    cert: Secret | None = None
    key: Secret | None = None
    expires_at: float | None = None


class _EnvVar(msgspec.Struct):
    name: str
    value: str = ""


class _Exec(msgspec.Struct, rename="camel"):
    command: str
    api_version: str
    args: list[str] | None = None
    env: list[_EnvVar] | None = None
    install_hint: str | None = None
    provide_cluster_info: bool | None = None
    interactive_mode: str | None = None


class _Status(msgspec.Struct, rename="camel"):
    token: str | None = None
    client_certificate_data: str | None = None
    client_key_data: str | None = None
    expiration_timestamp: str | None = None


class _ExecCredential(msgspec.Struct, rename="camel"):
    api_version: str
    status: _Status | None = None


async def run_plugin(context: Context) -> Credential:
    """Run the exec plugin of a context; raises CredentialsFailed with what it said, without what it gave."""
    assert context.exec_plugin is not None  # noqa: S101 - callers look first
    who = f"the exec plugin of context “{detail(context.name)}”"
    try:
        plugin = msgspec.convert(context.exec_plugin.reveal(), _Exec)
    except msgspec.ValidationError as error:
        raise CredentialsFailed(f"{who} is not described well: {detail(str(error))}; correct the kubeconfig") from error
    if plugin.interactive_mode == "Always":
        raise CredentialsFailed(
            f"{who} wants a terminal (interactiveMode: Always); log in with it before underlay starts"
        )
    output = await _run(plugin, _info(plugin, context), who)
    try:
        answer = msgspec.json.decode(output, type=_ExecCredential)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CredentialsFailed(f"{who} ({detail(plugin.command)}) gave no ExecCredential; run it by hand") from error
    if answer.api_version != plugin.api_version:
        raise CredentialsFailed(
            f"{who} speaks {detail(answer.api_version)} and the kubeconfig says {detail(plugin.api_version)}; "
            "correct its apiVersion"
        )
    return _credential(answer.status or _Status(), f"{who} ({detail(plugin.command)})")


def _credential(status: _Status, who: str) -> Credential:
    if bool(status.client_certificate_data) != bool(status.client_key_data):
        raise CredentialsFailed(f"{who} gave a certificate without its key, or a key alone; run it by hand")
    if not status.token and not status.client_certificate_data:
        raise CredentialsFailed(f"{who} gave neither token nor certificate; run it by hand")
    if status.token and not (status.token.isascii() and status.token.isprintable()):
        raise CredentialsFailed(f"{who} gave a token that no header may hold; run it by hand")
    return Credential(
        token=Secret(status.token) if status.token else None,
        cert=Secret(status.client_certificate_data.encode()) if status.client_certificate_data else None,
        key=Secret(status.client_key_data.encode()) if status.client_key_data else None,
        expires_at=epoch(status.expiration_timestamp),
    )


def _info(plugin: _Exec, context: Context) -> str:
    """Write KUBERNETES_EXEC_INFO (client-go pkg/apis/clientauthentication)."""
    spec: dict[str, Any] = {"interactive": False}
    if plugin.provide_cluster_info:
        cluster: dict[str, Any] = {"server": context.server}
        ca = context.ca.read()
        if ca is not None:
            cluster["certificate-authority-data"] = base64.b64encode(ca).decode()
        told = {
            "tls-server-name": context.tls_server_name,
            "insecure-skip-tls-verify": context.insecure,
            "proxy-url": context.proxy_url,
        }
        cluster |= {name: value for name, value in told.items() if value}
        spec["cluster"] = cluster
    return json.dumps({"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec})


async def _run(plugin: _Exec, info: str, who: str) -> bytes:
    env = {**os.environ, **{v.name: v.value for v in plugin.env or ()}, "KUBERNETES_EXEC_INFO": info}
    try:
        process = await asyncio.create_subprocess_exec(
            plugin.command,
            *(plugin.args or ()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            start_new_session=True,  # without our terminal it cannot ask there either
        )
    except (OSError, ValueError) as error:
        hint = f"; {detail(plugin.install_hint)}" if plugin.install_hint else "; install it"
        why = detail(getattr(error, "strerror", None) or "it cannot be started")
        raise CredentialsFailed(f"{who}, {detail(plugin.command)}, did not start: {why}{hint}") from error
    try:
        async with asyncio.timeout(_PATIENCE):
            stdout, stderr = await process.communicate()
    except TimeoutError as error:
        raise CredentialsFailed(
            f"{who}, {detail(plugin.command)}, gave nothing within {_PATIENCE:g} s; run it by hand"
        ) from error
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it started holds our pipes too
            await process.wait()
    if process.returncode != 0 or len(stdout) > _LARGEST:
        said = detail(stderr[-2000:].decode("utf-8", "replace"))
        ended = f"ended with {process.returncode}" + (f": {said}" if said else "")
        raise CredentialsFailed(f"{who}, {detail(plugin.command)}, {ended}; run it by hand")
    return stdout
