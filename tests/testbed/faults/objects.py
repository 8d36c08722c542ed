"""The testbed's objects as faults change them: each change is remembered as the patch that takes it back."""

import copy
import datetime
import re
from typing import Any

from tests.testbed.commands import TestbedError
from tests.testbed.faults.talk import Talk
from tests.testbed.twin.api import JSON, MERGE, NOT_FOUND

GROUPS = {
    "Node": ("/api/v1", "nodes"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "Secret": ("/api/v1", "secrets"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "Lease": ("/apis/coordination.k8s.io/v1", "leases"),
    "GitRepository": ("/apis/source.toolkit.fluxcd.io/v1", "gitrepositories"),
    "OCIRepository": ("/apis/source.toolkit.fluxcd.io/v1", "ocirepositories"),
    "HelmRepository": ("/apis/source.toolkit.fluxcd.io/v1", "helmrepositories"),
    "Kustomization": ("/apis/kustomize.toolkit.fluxcd.io/v1", "kustomizations"),
    "HelmRelease": ("/apis/helm.toolkit.fluxcd.io/v2", "helmreleases"),
    "ExternalSecret": ("/apis/external-secrets.io/v1", "externalsecrets"),
    "ClusterSecretStore": ("/apis/external-secrets.io/v1", "clustersecretstores"),
}
AGO = re.compile(r"@-(\d+)(us)?$")


def path_of(reference: str) -> str:
    """Give the path of ``Kind name`` or ``Kind namespace/name`` in the API."""
    kind, _, place = reference.partition(" ")
    namespace, _, name = place.rpartition("/")
    base, plural = GROUPS[kind]
    return f"{base}/namespaces/{namespace}/{plural}/{name}" if namespace else f"{base}/{plural}/{name}"


def absolute(value: Any) -> Any:
    """Give the same value with every "@-N" replaced by the time N seconds ago, "@-Nus" by a MicroTime."""
    if isinstance(value, dict):
        return {key: absolute(item) for key, item in value.items()}
    if isinstance(value, list):
        return [absolute(item) for item in value]
    if isinstance(value, str) and (found := AGO.match(value)):
        moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(found[1]))
        return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ" if found[2] else "%Y-%m-%dT%H:%M:%SZ")
    return value


def reverse(patch: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Make the merge patch (RFC 7386) that takes another back, from the object as it was before."""
    undo: dict[str, Any] = {}
    for key, value in patch.items():
        old = before.get(key)
        undo[key] = reverse(value, old) if isinstance(value, dict) and isinstance(old, dict) else copy.deepcopy(old)
    return undo


class Objects:
    """The API's objects, by one hand; `restore` takes every change back."""

    def __init__(self, hand: Talk) -> None:
        self._hand = hand
        self._undo: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> dict[str, Any]:
        """Send one request; TestbedError for an answer that is no success."""
        said = self._hand.ask({"method": method, "path": path, "body": body, "type": content_type})
        if "error" in said:
            raise TestbedError(str(said["error"]))
        body = said["body"]
        return body if isinstance(body, dict) else {}

    def get(self, reference: str) -> dict[str, Any]:
        """One object."""
        return self.request("GET", path_of(reference))

    def patch(self, reference: str, body: dict[str, Any]) -> None:
        """Change an object by a merge patch, its status through the subresource."""
        before = self.get(reference)
        body = absolute(body)
        for part, path in self._parts(reference, body):
            self._undo.append(("PATCH", path, reverse(part, before)))
            self.request("PATCH", path, part, MERGE)

    @staticmethod
    def _parts(reference: str, body: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
        path = path_of(reference)
        status = {"status": body["status"]} if "status" in body else {}
        rest = {key: value for key, value in body.items() if key != "status"}
        return [(part, where) for part, where in ((rest, path), (status, f"{path}/status")) if part]

    def create(self, item: dict[str, Any]) -> None:
        """Create an object with its status; removed again by `restore`."""
        item = absolute(item)
        meta = item["metadata"]
        place = f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"]
        path = path_of(f"{item['kind']} {place}")
        self._undo.append(("DELETE", path, {"gracePeriodSeconds": 0}))
        self.request("POST", path.rpartition("/")[0], item)
        if "status" in item:
            self.request("PATCH", f"{path}/status", {"status": item["status"]}, MERGE)

    def delete(self, reference: str) -> None:
        """Delete an object for good, if it is there."""
        said = self._hand.ask(
            {"method": "DELETE", "path": path_of(reference), "body": {"gracePeriodSeconds": 0}, "type": JSON}
        )
        if said.get("status", NOT_FOUND) != NOT_FOUND:
            raise TestbedError(str(said["error"]))

    def fail(self, reference: str, reason: str, message: str, *, since: int = 300) -> None:
        """Let a Flux object say that it is not ready, as its controller writes it; a source keeps its artifact."""
        at = f"@-{since}"
        common = {"reason": reason, "message": message, "observedGeneration": 1, "lastTransitionTime": at}
        conditions = [{"type": "Ready", "status": "False", **common}]
        if reference.split()[0] in {"GitRepository", "OCIRepository", "HelmRepository"}:
            conditions.append({"type": "FetchFailed", "status": "True", **common})
            stored = {"reason": "Succeeded", "message": "stored artifact", "observedGeneration": 1}
            conditions.append({"type": "ArtifactInStorage", "status": "True", "lastTransitionTime": "@-3600", **stored})
        self.patch(reference, {"status": {"conditions": conditions}})

    def unpulled(self, node: str, image: str, cause: str) -> None:
        """Make a pod whose image its kubelet cannot pull, with the Event that says why."""
        name = f"pull-{len(self._undo)}-{node}"
        failed = f'failed to pull and unpack image "{image}": {cause}'
        waiting = {"reason": "ImagePullBackOff", "message": f'Back-off pulling image "{image}": ErrImagePull: {failed}'}
        container = {"name": "main", "image": image, "imageID": "", "ready": False, "restartCount": 0}
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": "shop",
                    "annotations": {"underlay.test/keep-status": "true"},
                },
                "spec": {"nodeName": node, "containers": [{"name": "main", "image": image}]},
                "status": {
                    "phase": "Pending",
                    "startTime": "@-600",
                    "containerStatuses": [{**container, "started": False, "state": {"waiting": waiting}}],
                },
            }
        )
        about = {"apiVersion": "v1", "kind": "Pod", "name": name, "namespace": "shop"}
        self.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": f"{name}.17ab", "namespace": "shop"},
                "involvedObject": {**about, "fieldPath": "spec.containers{main}"},
                "reason": "Failed",
                "message": f'Failed to pull image "{image}": {failed}',
                "type": "Warning",
                "count": 5,
                "firstTimestamp": "@-580",
                "lastTimestamp": "@-40",
                "source": {"component": "kubelet", "host": node},
            }
        )

    def forget(self) -> None:
        """Let every change so far stand."""
        self._undo.clear()

    def restore(self) -> None:
        """Take every change back, the last one first; what is gone need not be removed."""
        while self._undo:
            method, path, body = self._undo.pop()
            said = self._hand.ask(
                {"method": method, "path": path, "body": body, "type": MERGE if method == "PATCH" else JSON}
            )
            if said.get("status", NOT_FOUND) != NOT_FOUND:
                raise TestbedError(str(said["error"]))
            if method == "PATCH" and "spec" in body and ".toolkit.fluxcd.io/" in path:
                # Both changes of the spec made a new generation: what its controller would note once it has seen it.
                generation = said["body"]["metadata"]["generation"]
                self.request("PATCH", f"{path}/status", {"status": {"observedGeneration": generation}}, MERGE)
