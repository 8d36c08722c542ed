"""What is observed of a cluster, as a table: each resource with its path, its decoder and the source it reports as."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from probes.kube.client import Api
from probes.kube.core import LEASES, NODES, PODS
from probes.kube.decode import Decoder, Page, unreadable_sentence
from probes.kube.discovery import discover
from probes.kube.errors import AnswerInvalid, ApiError, Gone, Throttled
from probes.kube.events import PULL_EVENTS, SECRET_EVENTS
from probes.kube.external_secrets import secret_decoder
from probes.kube.flux import flux_decoder
from probes.kube.http import GET_TIMEOUT, Query
from probes.model.observation import Failed, Listed, Observed

Observations = tuple[Observed[Any] | Failed, ...]
"""What a resource said: of many types of object, which whoever folds them tells apart by source."""

PAGE: Final = 500
"""Objects a page, as kubectl asks for."""
_MOST_PAGES: Final = 4000
UNREADABLE: Final = "/unreadable objects"
"""After a source: its own source, so that one broken object does not make the others look unread."""


class Resource(msgspec.Struct, frozen=True):
    """One resource as one cluster serves it."""

    source: str
    """What it reports as: ``kube/FIELD`` or ``kube/FIELD/KIND``, after the fields of Snapshot."""
    path: str
    decoder: Decoder[Any, Any]
    query: tuple[tuple[str, str], ...] = ()
    page: int = PAGE
    """Objects a page."""


class Kind(msgspec.Struct, frozen=True):
    """A resource that a cluster may or may not have, in a version that only discovery tells."""

    field: str
    """``flux`` or ``secrets``."""
    group: str
    kind: str
    product: str

    @property
    def source(self) -> str:
        """What it reports as."""
        return f"kube/{self.field}/{self.kind}"

    def located(self, version: str, plural: str) -> Resource:
        """Make the resource of the version that the cluster serves."""
        api_version = f"{self.group}/{version}"
        decoder: Decoder[Any, Any] = (
            flux_decoder(self.kind, api_version) if self.field == "flux" else secret_decoder(self.kind, api_version)
        )
        return Resource(self.source, f"/apis/{api_version}/{plural}", decoder)

    def absent(self, at: float) -> Failed:
        """Say that the cluster does not have it."""
        return Failed(
            self.source, at, f"{self.kind} ({self.group}) is not installed; it comes with {self.product}", "absent"
        )


_NOT_PULLS: Final = ("Scheduled", "Pulling", "Pulled", "Created", "Started", "Killing", "Unhealthy", "FailedScheduling")
_PULL_FIELDS: Final = ",".join(["involvedObject.kind=Pod", *(f"reason!={reason}" for reason in _NOT_PULLS)])
"""Field selectors know no "or": what is common and no pull is left out by the server, the rest by the decoder."""

CORE: Final = (
    Resource("kube/nodes", "/api/v1/nodes", NODES, page=250),  # with its images a Node is 16 KB, twice a Pod
    Resource("kube/leases", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", LEASES),
    Resource("kube/pods", "/api/v1/pods", PODS),
    Resource("kube/pull_events", "/api/v1/events", PULL_EVENTS, (("fieldSelector", _PULL_FIELDS),)),
    Resource(
        "kube/secret_events",
        "/api/v1/events",
        SECRET_EVENTS,
        (("fieldSelector", "type=Warning,involvedObject.kind!=Pod,involvedObject.kind!=Node"),),
    ),
)
_SOURCE_KINDS: Final = ("OCIRepository", "Bucket", "GitRepository", "HelmRepository", "HelmChart", "ExternalArtifact")
_SECRET_KINDS: Final = ("SecretStore", "ClusterSecretStore", "ExternalSecret", "ClusterExternalSecret", "PushSecret")
KINDS: Final = (
    *(Kind("flux", "source.toolkit.fluxcd.io", kind, "Flux source-controller") for kind in _SOURCE_KINDS),
    Kind("flux", "kustomize.toolkit.fluxcd.io", "Kustomization", "Flux kustomize-controller"),
    Kind("flux", "helm.toolkit.fluxcd.io", "HelmRelease", "Flux helm-controller"),
    *(Kind("secrets", "external-secrets.io", kind, "External Secrets Operator") for kind in _SECRET_KINDS),
)
GROUPS: Final = frozenset(kind.group for kind in KINDS)


class Listing(msgspec.Struct):
    """All pages of one list."""

    items: dict[str, Any]
    unreadable: list[str]
    resource_version: str

    def observations(self, source: str, at: float, *, complained: bool = False) -> Observations:
        """Say what was listed, and of which objects nothing is known; ``complained`` takes back an earlier word."""
        listed = Observed(source, at, Listed(self.items))
        if self.unreadable:
            what = f"{len(self.items) + len(self.unreadable)} objects of {source.removeprefix('kube/')}"
            return (listed, Failed(source + UNREADABLE, at, unreadable_sentence(self.unreadable, what)))
        if complained:
            nothing: dict[str, Any] = {}
            return (listed, Observed(source + UNREADABLE, at, Listed(nothing)))
        return (listed,)


async def read_list(api: Api, resource: Resource, *, timeout: float = GET_TIMEOUT) -> Listing:
    """List a resource page by page; one that expires on the way is begun anew, once. Raises ApiError."""
    try:
        return await _read_pages(api, resource, timeout)
    except Gone:
        return await _read_pages(api, resource, timeout)


async def _read_pages(api: Api, resource: Resource, timeout: float) -> Listing:
    listing = Listing({}, [], "")
    token = ""
    for _ in range(_MOST_PAGES):
        query: Query = (*resource.query, ("limit", str(resource.page)), *([("continue", token)] if token else []))
        page = await _read_page(api, resource, query, timeout)
        listing.items.update(page.items)
        listing.unreadable += page.unreadable
        listing.resource_version = page.resource_version
        token = page.next_page
        if not token:
            return listing
        await asyncio.sleep(0)  # let others have the loop between two pages
    raise Throttled(
        f"{api.server}{resource.path} has more than {_MOST_PAGES * resource.page} objects; they are not read"
    )


async def _read_page(api: Api, resource: Resource, query: Query, timeout: float) -> Page[Any]:
    """Read one page; its bytes are let go of before the next one comes."""
    raw = await api.get(resource.path, query, timeout=timeout)
    try:
        return resource.decoder.page(raw)
    except AnswerInvalid as error:
        raise AnswerInvalid(f"{api.server}{resource.path}: {error}; is it an API server?") from error


async def fetch(
    api: Api, resource: Resource, *, timeout: float = GET_TIMEOUT, clock: Callable[[], float] = time.time
) -> Observations:
    """Read a resource once: its ``Listed`` and perhaps a ``Failed`` of unreadable objects, or one ``Failed``.

    ``timeout`` seconds bound all pages together.
    """
    try:
        async with asyncio.timeout(timeout):
            listing = await read_list(api, resource, timeout=timeout)
    except TimeoutError:
        why = f"{api.server}{resource.path} did not answer in full within {timeout:g} s; try a longer --timeout"
        return (Failed(resource.source, clock(), why, "timeout"),)
    except ApiError as error:
        return (Failed(resource.source, clock(), str(error), error.kind),)
    return listing.observations(resource.source, clock())


class Located(msgspec.Struct):
    """Which of KINDS a cluster has."""

    present: list[Resource]
    absent: list[Kind]
    unknown: list[tuple[Kind, ApiError]]
    """Its group would not say."""


async def locate(api: Api, *, timeout: float = GET_TIMEOUT) -> Located:
    """Find which of KINDS the cluster has, and in which version; never raises ApiError."""
    try:
        served = await discover(api, GROUPS, timeout=timeout)
    except ApiError as error:
        return Located([], [], [(kind, error) for kind in KINDS])
    located = Located([], [], [])
    for kind in KINDS:
        found = served.kinds.get((kind.group, kind.kind))
        if found is not None:
            located.present.append(kind.located(*found))
        elif kind.group in served.failed:
            located.unknown.append((kind, served.failed[kind.group]))
        else:
            located.absent.append(kind)
    return located


async def fetch_all(api: Api, *, timeout: float = GET_TIMEOUT, clock: Callable[[], float] = time.time) -> Observations:
    """Read everything there is to observe once, all resources side by side; failures are among the observations."""
    async with asyncio.TaskGroup() as tasks:
        core = [tasks.create_task(fetch(api, resource, timeout=timeout, clock=clock)) for resource in CORE]
        rest = tasks.create_task(fetch_kinds(api, timeout, clock))
    return (*(o for task in core for o in task.result()), *rest.result())


async def fetch_kinds(api: Api, timeout: float = GET_TIMEOUT, clock: Callable[[], float] = time.time) -> Observations:
    """Read every kind that the cluster has once; the kinds it has not are ``Failed`` as absent."""
    located = await locate(api, timeout=timeout)
    async with asyncio.TaskGroup() as tasks:
        fetches = [
            tasks.create_task(fetch(api, resource, timeout=timeout, clock=clock)) for resource in located.present
        ]
    return (
        *(o for task in fetches for o in task.result()),
        *(kind.absent(clock()) for kind in located.absent),
        *(Failed(kind.source, clock(), str(error), error.kind) for kind, error in located.unknown),
    )
