"""What probes came to, as matrices and in words: nothing that was not run or not seen is well."""

import msgspec
import pytest

from probes.model.flux import FluxObject, ObjectRef
from probes.model.kube import Pod
from probes.model.reach import Attempt
from probes.model.summary.pulls import PullFailure
from probes.reach import dns as reach_dns
from probes.reach import http as reach_http
from probes.reach import ping as reach_ping
from probes.reach import pmtu as reach_pmtu
from probes.reach import registries
from probes.reach import sshd as reach_sshd
from probes.reach import tcp as reach_tcp
from probes.reach import tls as reach_tls
from probes.rules.codes import FAMILIES
from probes.rules.diagnose import diagnose
from probes.rules.finding import Diagnosis, Finding, Severity
from tests.probes import worlds
from tests.tui.results import URL, http, pmtu, probed
from tests.tui.scripted import flux_object, with_flux
from tests.tui.views.said import said, widest
from tui.format import ASCII, UNICODE, Span, width
from tui.probed import Probed
from tui.views import probes, probes_wanted
from tui.views.probes_cells import OLD, ago, target_cell
from tui.views.probes_detail import result_document, side_by_side
from tui.views.probes_meaning import OUTCOMES
from tui.views.probes_paths import paths

NOW = worlds.AT + 5


def world() -> Diagnosis:
    """Three nodes, a source on GitHub, and its controller on samwise."""
    git = flux_object("GitRepository", "fleet", url=URL)
    snapshot = with_flux(worlds.healthy(), git)
    pod = Pod("flux-system", "source-controller-1", node="samwise", phase="Running", ips=("10.42.1.5",))
    pod = msgspec.structs.replace(pod, app="source-controller")
    return diagnose(msgspec.structs.replace(snapshot, pods={"flux-system/source-controller-1": pod}))


def text(cell: tuple[Span, ...]) -> str:
    return "".join(span.text for span in cell)


def cells(found: probes.Targets, room: int = 24) -> dict[tuple[str, str], tuple[Span, ...]]:
    for row in found.rows.values():
        row.room = room
    return {(label, name): found.rows[label].get(name) for label in found.labels for name in found.vantages}


def test_before_anything_was_sent_nothing_is_well() -> None:
    """What is worth probing is listed, every cell says that it was not run, and none is green."""
    found = probes.targets(Probed(), world(), NOW, UNICODE)
    assert found.labels == ("path MTU", "github.com h1", "github.com h2")
    assert found.vantages == ("boromir", "pod@boromir", "samwise", "pod@samwise", "theoden", "pod@theoden")
    assert {text(cell) for cell in cells(found).values()} == {"· not run"}
    assert {span.tone for cell in cells(found).values() for span in cell} == {"muted"}
    assert found.badge.tone == "muted"
    assert found.note == "nothing probed yet"


def test_the_contrast_of_versions_is_two_rows() -> None:
    """Where only HTTP/2 fails its row says so with the phase and how often, and HTTP/1.1's is well, with its time."""
    found = probes.targets(probed(http("operator"), http("samwise", h2="tls")), world(), NOW, UNICODE)
    seen = cells(found)
    assert found.vantages[0] == "operator"
    assert text(seen["github.com h1", "samwise"]).startswith("✔ 80/80 ms")
    assert text(seen["github.com h2", "samwise"]).startswith("✖ tls 3/3")
    assert text(seen["github.com h2", "operator"]).startswith("✔ 80/80 ms")
    assert text(seen["github.com h2", "theoden"]) == "· not run"
    assert found.faults == {"github.com h2"}


def test_a_part_is_no_better_than_the_whole() -> None:
    """Where no try failed and the result is slow or refused, neither version is shown as well."""
    slow = msgspec.structs.replace(http("samwise", times=4.0), outcome="slow", tone="warning", said="slow at tls")
    found = cells(probes.targets(probed(slow), world(), NOW, UNICODE))
    assert found["github.com h1", "samwise"][0] == Span("▲ slow at tls", "warning")


def test_what_could_not_be_sent_is_unknown() -> None:
    """A vantage without the program, or whose connection failed, is neither well nor failing."""
    unsent = msgspec.structs.replace(
        http("samwise", n=0), outcome="unassessed", tone="unknown", said="not assessed", sent=0, times=()
    )
    unsent = msgspec.structs.replace(unsent, attempts=(Attempt("HTTP/1.1", unable="there is no curl there"),))
    found = cells(probes.targets(probed(unsent), world(), NOW, UNICODE))
    assert found["github.com h1", "samwise"][0] == Span("? not sent", "unknown")


def test_what_is_old_says_how_it_was() -> None:
    """After a quarter of an hour a result is marked as old and is green no more."""
    later = NOW + OLD
    found = cells(probes.targets(probed(http("samwise")), world(), later, UNICODE))
    head = found["github.com h1", "samwise"][0]
    assert (head.text[:2], head.tone) == ("◷✔", "stale")
    assert probes.targets(probed(http("samwise")), world(), later, UNICODE).badge.tone == "stale"
    assert [ago(seconds) for seconds in (0, 59, 60, 3599, 7200, 200_000)] == ["now", "now", "1m", "59m", "2h", "2d"]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_cell_gives_what_it_has_room_for(glyphs: object) -> None:
    """The verdict first, then losses, times, their history and age; no cell is wider than it may be."""
    made = http("samwise", h2="tls")
    samples = probed(made).samples[next(iter(probed(made).latest))]
    assert isinstance(glyphs, type(UNICODE))
    for variant in ("", "HTTP/1.1", "HTTP/2"):
        for room in range(12, 30):
            cell = target_cell(made, variant, samples[variant], room, NOW, glyphs)
            assert sum(width(span.text) for span in cell) <= max(room, width(cell[0].text))
    wide = target_cell(made, "HTTP/1.1", samples["HTTP/1.1"], 24, NOW, UNICODE)
    assert text(wide) == "✔ 80/80 ms ███ now"


def test_paths_are_a_matrix_of_two_numbers() -> None:
    """Each direction has what passes between the nodes and between their pods; what was not run says so."""
    results = (pmtu("boromir", "samwise", 1500), pmtu("pod@boromir", "samwise", 1400, "silent"))
    found = paths(probed(*results), world(), ("pmtu",), NOW, UNICODE)
    assert found.rows["boromir"].get("boromir") is None
    assert text(found.rows["boromir"].get("samwise") or ()) == "✔ 1500 ✖ 1400"
    assert text(found.rows["samwise"].get("boromir") or ()) == "· not run"
    assert found.faults == {"boromir"}
    assert found.badge == Span("✖ 1", "critical")


def test_an_overlay_is_dead_where_only_nodes_reach_each_other() -> None:
    """Nothing between pods is unknown by itself, and critical beside nodes that reach each other."""
    alone = pmtu("pod@boromir", "samwise", None, "inconclusive")
    found = paths(probed(alone), world(), ("pmtu",), NOW, UNICODE)
    assert text(found.rows["boromir"].get("samwise") or ()) == "· ? none"
    both = probed(alone, pmtu("boromir", "samwise", 1500))
    found = paths(both, world(), ("pmtu",), NOW, UNICODE)
    assert text(found.rows["boromir"].get("samwise") or ()) == "✔ 1500 ✖ dead"
    assert found.badge.tone == "critical"
    summed = cells(probes.targets(both, world(), NOW, UNICODE))
    assert text(summed["path MTU", "pod@boromir"]) == "✖ dead 1/1 now"


def test_a_result_is_written_up() -> None:
    """Verdict, meaning, what would refute it, every try by phase, what it was measured over, and the runs."""
    made = http("samwise", h2="tls")
    found = said(result_document(made, probed(made), world(), UNICODE), 140)
    for wanted in (
        *("only HTTP/2 fails, at tls", "no end within 10 s", "What it means", "Would be wrong if", "3 of 6 lost"),
        *("DNS", "TCP", "TLS", "WAIT", "203.0.113.10", "128 KiB", "fails at tls", "200 over HTTP/1.1"),
        *("node samwise", "default route", "192.0.2.1"),
    ):
        assert wanted in found, wanted
    path = pmtu("pod@boromir", "samwise", 1400, "silent")
    found = said(result_document(path, probed(path), world(), UNICODE), 140)
    for wanted in (
        "silent above 1400",
        "1401",
        "0/3",
        "eth0, MTU 1450 by 10.42.0.1",
        "apps/web on boromir",
        "lost from",
    ):
        assert wanted in found, wanted


@pytest.mark.parametrize("room", [60, 78, 118, 158])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_nothing_runs_over(room: int, glyphs: object) -> None:
    """Whatever is written up fits into the width, in both character sets."""
    assert isinstance(glyphs, type(UNICODE))
    hostile = msgspec.structs.replace(http("samwise", h2="tls"), reason="long " * 60, target="https://" + "x" * 300)
    for made in (hostile, pmtu("pod@boromir", "samwise", 1400, "silent")):
        assert widest(result_document(made, probed(made), world(), glyphs), room, glyphs) <= room
        assert widest(side_by_side([made], glyphs, to=True), room, glyphs) <= room


@pytest.mark.parametrize(
    ("probe", "outcomes"),
    [
        ("pmtu", reach_pmtu.Outcome.__args__),  # type: ignore[attr-defined]
        ("http", reach_http.Outcome.__args__),  # type: ignore[attr-defined]
        ("dns", reach_dns.Outcome.__args__),  # type: ignore[attr-defined]
        ("ping", reach_ping.Outcome.__args__),  # type: ignore[attr-defined]
        ("tcp", reach_tcp.Outcome.__args__),  # type: ignore[attr-defined]
        ("tls", reach_tls.Outcome.__args__),  # type: ignore[attr-defined]
        ("git", (*reach_http.Outcome.__args__, *reach_sshd.Outcome.__args__, "login")),  # type: ignore[attr-defined]
        ("registry", registries.OUTCOMES),
    ],
)
def test_every_outcome_has_a_meaning(probe: str, outcomes: tuple[str, ...]) -> None:
    """Whatever a kind of probe may come to is explained, with what would refute it."""
    assert set(outcomes) <= OUTCOMES[probe]


def test_a_source_is_asked_for_as_its_controller_does() -> None:
    """From the node and the pod of source-controller, without what may be secret in the URL; its consumers likewise."""
    judged = world()
    wanted = probes_wanted.wanted_of(judged, ObjectRef("GitRepository", "flux-system", "fleet"))
    assert wanted is not None
    assert (wanted.kinds, wanted.sources, wanted.targets) == (("http", "git", "tls", "tcp"), ("samwise",), (URL,))
    assert wanted.speaker == "10.42.1.5"
    for url, asked in (
        ("https://user:secret@git.example/x.git?token=1", "https://git.example/x.git"),
        ("oci://ghcr.io/example/charts", "https://ghcr.io/v2/"),
        ("ssh://git@github.com/example/fleet", ""),
        ("http://minio.minio.svc/bucket", ""),
        ("https://[::1", ""),
    ):
        assert probes_wanted.url_of(flux_object("GitRepository", "x", url=url)) == asked
    source = ObjectRef("GitRepository", "flux-system", "fleet")
    consumer = flux_object("Kustomization", "apps", source=source)
    judged = diagnose(with_flux(judged.snapshot, *judged.snapshot.flux.values(), consumer))
    below = probes_wanted.wanted_of(judged, consumer.ref)
    assert below is not None
    assert below.targets == (URL,)


def test_a_source_is_asked_in_its_own_protocol() -> None:
    """A registry for OCI, a greeting for SSH, nothing of TLS where there is none; an odd URL is asked for nothing."""
    snapshot = world().snapshot

    def kinds(kind: str, url: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        wanted = probes_wanted.of_source(snapshot, flux_object(kind, "x", url=url))
        return (wanted.kinds, wanted.targets, wanted.images) if wanted else ((), (), ())

    registry = (("http", "registry", "tls", "tcp"), ("https://ghcr.io/v2/",), ("ghcr.io",))
    assert kinds("OCIRepository", "oci://ghcr.io/example/charts") == registry
    assert kinds("HelmRepository", "oci://ghcr.io/example/charts") == registry
    greeted = (("git",), ("ssh://github.com:2222/example/fleet",), ())
    assert kinds("GitRepository", "ssh://git@github.com:2222/example/fleet") == greeted
    assert kinds("GitRepository", "http://git.lan/x.git") == (("http", "git"), ("http://git.lan/x.git",), ())
    assert kinds("HelmRepository", "https://charts.example")[0] == ("http", "tls", "tcp")
    assert kinds("GitRepository", "ssh://[::1") == ((), (), ())


def test_pulls_are_asked_for_from_the_nodes_where_they_fail() -> None:
    """A registry from its failing nodes; a node's finding all its registries; Docker Hub by its real host."""
    rows = (
        PullFailure("docker.io", "nginx", "samwise", ("a/b",), "timeout"),
        PullFailure("ghcr.io", "x/y", "theoden", ("a/c",), "timeout"),
    )
    judged = msgspec.structs.replace(world(), pulls=rows)
    wanted = probes_wanted.wanted_of(judged, ObjectRef("Registry", "", "docker.io"))
    assert wanted is not None
    assert (wanted.sources, wanted.targets) == (("samwise",), ("https://registry-1.docker.io/v2/",))
    assert (wanted.kinds, wanted.images) == (("http", "registry"), ("nginx",))
    found = Finding("image-pull-timeout", Severity.WARNING, ObjectRef("Cluster", "", "egress"), "all fail")
    wanted = probes_wanted.of_finding(judged, found)
    assert wanted is not None
    assert wanted.sources == ("samwise", "theoden")
    assert (len(wanted.targets), wanted.images) == (2, ("nginx", "x/y"))
    assert wanted.kinds == ("http", "registry", "tls", "tcp"), "whether a stall goes by size"
    quiet = probes_wanted.wanted_of(judged, ObjectRef("Registry", "", "quay.io"))
    assert quiet is not None
    assert quiet.images == ("quay.io",)


def test_findings_lead_to_what_their_pages_verify() -> None:
    """Overlay and MTUs to paths, names to resolvers, a node that is away to all ways there; others to nothing."""
    judged = world()

    def kinds(code: str, subject: ObjectRef) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]] | None:
        wanted = probes_wanted.of_finding(judged, Finding(code, Severity.CRITICAL, subject, "x", about=("theoden",)))
        return (wanted.kinds, wanted.sources, wanted.destinations) if wanted else None

    node = ObjectRef("Node", "", "samwise")
    source = ObjectRef("GitRepository", "flux-system", "fleet")
    assert kinds("peer-fdb-missing", node) == (("pmtu", "ping"), ("samwise",), ("theoden",))
    assert kinds("uplink-mtu-differs", ObjectRef("Cluster", "", "overlay")) == (("pmtu", "ping"), (), ())
    assert kinds("node-unreachable", node) == (("pmtu", "ping"), (), ("samwise",))
    assert kinds("coredns-unreachable", ObjectRef("Deployment", "kube-system", "coredns")) == (("dns",), (), ())
    assert kinds("resolver-loopback", node) == (("dns",), ("samwise",), ())
    assert kinds("flux-tls-stall", source) == (("http", "git", "tls", "tcp"), ("samwise",), ())
    assert kinds("flux-source-dns", source) == (("dns", "http", "git", "tls", "tcp"), ("samwise",), ())
    assert kinds("outside-failing", ObjectRef("Cluster", "", "egress")) == (("http", "tcp"), ("theoden",), ())
    assert kinds("egress-mtu-blackhole", node) == (("http", "tcp"), ("theoden",), ())
    assert kinds("secret-outage", ObjectRef("ExternalSecret", "a", "b")) is None
    assert probes_wanted.between("samwise", "samwise") is None


def test_codes_that_are_named_exist() -> None:
    """Every code for which something is probed is a code that there is."""
    known = {code for codes in FAMILIES.values() for code in codes}
    named = probes_wanted._PULL | probes_wanted._FETCH | probes_wanted._NAMES | probes_wanted._AWAY
    assert named - known == set()
    assert (probes_wanted._BETWEEN | probes_wanted._OUT) - set(FAMILIES) == set()


def test_a_way_out_by_ssh_alone_is_seen_by_what_it_explains() -> None:
    """Where nothing outside is asked by HTTP, what a finding of the way out explains says what is."""
    ref = ObjectRef("GitRepository", "flux-system", "fleet")
    judged = world()
    objects = {"GitRepository/flux-system/fleet": FluxObject(ref, url="ssh://git@github.com/example/fleet")}
    judged = msgspec.structs.replace(judged, snapshot=msgspec.structs.replace(judged.snapshot, flux=objects), pulls=())
    symptom = Finding("flux-fetch-timeout", Severity.WARNING, ref, "x")
    found = Finding("egress-loss", Severity.WARNING, ObjectRef("Cluster", "", "egress"), "x", symptoms=(symptom,))
    wanted = probes_wanted.of_finding(judged, found)
    assert wanted is not None
    assert (wanted.kinds, wanted.targets) == (("git",), ("ssh://github.com/example/fleet",))
    assert probes_wanted.of_finding(judged, msgspec.structs.replace(found, symptoms=())) is None
