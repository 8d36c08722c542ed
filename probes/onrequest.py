"""What is read only when an operator asks for it: an object as the API has it, the journal of a node's k3s.

Nothing here is kept, and nothing writes. What a Secret holds is never read; what looks like one inside another object
is left out.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec
import yaml

from probes.cluster import Wires
from probes.kube.discovery import discover
from probes.kube.errors import ApiError, NotInstalled
from probes.kube.resources import GROUPS
from probes.model.flux import ObjectRef
from probes.model.snapshot import Snapshot
from probes.model.text import clean, clean_lines
from probes.transports.base import TransportError

LINES: Final = 200
"""Lines of a journal."""
LARGEST: Final = 2 * 2**20
"""Characters that are shown of anything."""
_TIMEOUT: Final = 15.0
_CORE: Final = {"Node": "/api/v1/nodes", "Pod": "/api/v1/namespaces/{namespace}/pods"}
_SECRETIVE: Final = re.compile(r"(?i)(passw|token|secret|apikey|api_key|privatekey|private_key|credential)")
_NAMING: Final = re.compile(r"(?i)(name|ref|refs|namespace|key|path|file|policy|type|store|stores)$")
"""Such keys say which secret is meant, not what it holds."""
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
HIDDEN: Final = "(left out)"
_DEEPEST: Final = 60
_DENIED: Final = ("insufficient permissions", "Permission denied", "not seeing messages from other users")


class NotRead(Exception):
    """What was asked for could not be read; its text is one sentence for the operator."""


class OnRequest:
    """Reads from one cluster on request; ``snapshot`` gives what is known of it now."""

    def __init__(self, wires: Wires, snapshot: Callable[[], Snapshot]) -> None:
        self._wires = wires
        self._snapshot = snapshot

    async def manifest(self, ref: ObjectRef) -> str:
        """Give an object as YAML, without managedFields and without what looks secret; raises NotRead."""
        if ref.kind == "Secret":
            raise NotRead("what a Secret holds is never shown")
        try:
            raw = await self._wires.api.get(await self._path(ref), timeout=_TIMEOUT)
            found = msgspec.json.decode(raw)
        except NotInstalled as error:
            raise NotRead(f"the API has no {ref.kind} {ref.name} any more") from error
        except ApiError as error:
            raise NotRead(str(error)) from error
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotRead(f"the API's answer for {ref.kind} {ref.name} is not JSON") from error
        return _bounded(write_manifest(found))

    async def _path(self, ref: ObjectRef) -> str:
        if ref.kind in _CORE:
            return f"{_CORE[ref.kind].format(namespace=ref.namespace)}/{ref.name}"
        served = await discover(self._wires.api, GROUPS, timeout=_TIMEOUT)
        for (group, kind), (version, plural) in served.kinds.items():
            if kind == ref.kind:
                place = f"namespaces/{ref.namespace}/" if ref.namespace else ""
                return f"/apis/{group}/{version}/{place}{plural}/{ref.name}"
        raise NotRead(f"{ref.kind} is not an object of the API")

    async def journal(self, node: str) -> str:
        """Give the last lines of the journal of a node's k3s unit, oldest first; raises NotRead."""
        network = self._snapshot().networks.get(node)
        unit = network.unit.name if network and network.unit else "k3s*"
        argv = ("journalctl", "-u", unit, "-n", str(LINES), "--no-pager", "-o", "short-iso")
        try:
            transport = await self._wires.transport(node, self._snapshot().nodes.get(node))
            done = await transport.run(argv, timeout=_TIMEOUT)
            if any(word in done.stderr for word in _DENIED):
                done = await transport.run(("sudo", "-n", *argv), timeout=_TIMEOUT)
        except TransportError as error:
            raise NotRead(str(error)) from error
        if done.missing and not done.stdout:
            raise NotRead(f"{node} has no journalctl: it does not run systemd, or it is not on the PATH")
        if done.returncode and not done.stdout:
            why = clean(" ".join(done.stderr.split()))[:200] or f"journalctl ended with {done.returncode}"
            raise NotRead(f"the journal of {unit} on {node} cannot be read: {why}")
        return _bounded(clean_lines(done.stdout.expandtabs(4)))


def _bounded(text: str) -> str:
    """Keep the end of a text that is too long: the newest lines are there."""
    return text if len(text) <= LARGEST else "… the beginning is left out\n" + text[-LARGEST:]


def write_manifest(found: Any) -> str:
    """Write a decoded object as YAML that is safe to show; anything but a map is written as it is."""
    if isinstance(found, dict):
        metadata = found.get("metadata")
        if isinstance(metadata, dict):
            metadata.pop("managedFields", None)
            annotations = metadata.get("annotations")
            if isinstance(annotations, dict):
                annotations.pop(_LAST_APPLIED, None)
        for key in ("data", "stringData") if found.get("kind") == "Secret" else ():
            if key in found:
                found[key] = HIDDEN
    said = yaml.safe_dump(hide(found), sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=False)
    return clean_lines(said)


def hide(value: Any, depth: int = 0) -> Any:
    """Leave out the values of keys that name a secret, at every depth; which secret is meant stays."""
    if depth > _DEEPEST:
        return HIDDEN
    if isinstance(value, dict):
        return {key: HIDDEN if _is_secret(str(key), each) else hide(each, depth + 1) for key, each in value.items()}
    return [hide(each, depth + 1) for each in value] if isinstance(value, list) else value


def _is_secret(key: str, value: Any) -> bool:
    named = _SECRETIVE.search(key) is not None and _NAMING.search(key) is None
    return named and isinstance(value, (str, int, float)) and not isinstance(value, bool)
