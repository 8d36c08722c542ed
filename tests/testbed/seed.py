"""Puts the testbed's objects into its API: run inside the operator's namespace, `python -m tests.testbed.seed DIR`."""

import datetime
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.testbed.commands import TestbedError, wait_until
from tests.testbed.twin.api import CONFLICT, MERGE, NOT_FOUND, Access, Api, ApiError

HERE = Path(__file__).parent
CORE_NAMESPACED = {"Pod": "pods", "Service": "services", "Event": "events", "Secret": "secrets"}
CORE_CLUSTER = {"Namespace": "namespaces", "Node": "nodes"}
PLURALS = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"}


def documents(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a YAML file, times made absolute."""
    for item in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
        if item:
            yield absolute(item)


def absolute(value: Any) -> Any:
    """Give the same value with every "@-N" replaced by the time N seconds ago."""
    if isinstance(value, dict):
        return {key: absolute(item) for key, item in value.items()}
    if isinstance(value, list):
        return [absolute(item) for item in value]
    if isinstance(value, str) and value.startswith("@-"):
        moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=int(value[2:]))
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value


def collection(item: dict[str, Any], plurals: dict[str, str]) -> str:
    """Path of the collection an object belongs into; plurals are those of the definitions loaded."""
    group, kind = item["apiVersion"], item["kind"]
    namespace = item["metadata"].get("namespace")
    if group == "v1":
        base, plural = "/api/v1", {**CORE_NAMESPACED, **CORE_CLUSTER}[kind]
    else:
        base, plural = f"/apis/{group}", {**PLURALS, **plurals}[kind]
    return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"


def create(api: Api, path: str, item: dict[str, Any]) -> None:
    """Create one object, then write its status through the subresource."""
    body = {key: value for key, value in item.items() if key != "status"}
    try:
        api.request("POST", path, body)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
    if "status" in item:
        name = item["metadata"]["name"]
        api.request("PATCH", f"{path}/{name}/status", {"status": item["status"]}, MERGE)


def create_when_served(api: Api, path: str, item: dict[str, Any]) -> None:
    """Create an object of a kind defined a moment ago, as soon as the API serves it."""

    def created() -> bool:
        try:
            create(api, path, item)
        except ApiError as error:
            if error.status == NOT_FOUND:
                return False
            raise
        return True

    wait_until(created, 20, f"{item['kind']} is served")


def seed(api: Api, nodes: int) -> None:
    """Definitions first, then what uses them."""
    plurals: dict[str, str] = {}
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    for path in [*sorted((HERE / "crds").glob("*.yaml")), HERE / "objects/external-secrets-crds.yaml"]:
        for item in documents(path):
            item.pop("status", None)
            create(api, definitions, item)
            plurals[item["spec"]["names"]["kind"]] = item["spec"]["names"]["plural"]
    names = ["access", "workloads", *(["third-node"] if nodes > 2 else []), "flux"]
    for name in names:
        for item in documents(HERE / f"objects/{name}.yaml"):
            create_when_served(api, collection(item, plurals), item)


def main() -> int:
    """Seed the API that `seed.json` in the folder given tells of."""
    told = json.loads((Path(sys.argv[1]) / "seed.json").read_text())
    try:
        seed(Api(Access(**told["access"])), told["nodes"])
    except (ApiError, TestbedError) as error:
        print(f"seeding failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
