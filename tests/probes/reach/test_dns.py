"""DNS: the datagrams are RFC 1035's, and what comes back is read for what it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.model.kube import Pod
from probes.model.observation import Completed
from probes.model.snapshot import Snapshot
from probes.reach.dns import Reply, answer, command, judge, parse, question
from probes.reach.resolvers import INSIDE, coredns, inside_name, nameservers, questions, service_address
from probes.transports.local import LocalTransport
from probes.vantage import Vantage

ASKED = bytes.fromhex("12340100000100000000000003776562076578616d706c6504746573740000010001")
ANSWER = bytes.fromhex(
    "1234818000010002000000000377656207"
    "6578616d706c650474657374"
    "0000010001"
    "c00c000500010000003c0004016ec010"  # web CNAME n.example.test
    "c02e000100010000003c0004c633640a"  # n.example.test A 198.51.100.10
)
OK = Reply(0.01, "NOERROR", ("10.43.0.1",))
LOST = Reply()


def test_a_question_is_written_as_the_standard_has_it() -> None:
    """Header with recursion desired, one question, type A, class IN."""
    assert question("web.example.test", 0x1234) == ASKED
    assert question("web.example.test.", 0x1234) == ASKED


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64, ".".join(["a" * 60] * 5), "ä" * 80])
def test_what_is_no_name_is_refused(name: str) -> None:
    """An empty or overlong part is one clear sentence, before anything is sent."""
    with pytest.raises(ValueError, match="no name that DNS knows"):
        question(name, 1)


def test_an_answer_is_read_with_compressed_names() -> None:
    """A CNAME is passed over, its address is found."""
    assert answer(ANSWER, 0x1234) == Reply(rcode="NOERROR", addresses=("198.51.100.10",))


@pytest.mark.parametrize(
    ("datagram", "rcode"),
    [
        (b"", ""),
        (ANSWER[:11], ""),
        (b"\x99" + ANSWER[1:], ""),
        (ASKED, ""),
        (ANSWER[:3] + b"\x83" + ANSWER[4:], "NXDOMAIN"),
        (ANSWER[:3] + b"\x82" + ANSWER[4:], "SERVFAIL"),
        (ANSWER[:40], "NOERROR"),
    ],
)
def test_only_an_answer_to_the_question_counts(datagram: bytes, rcode: str) -> None:
    """Another's id, a question, too few bytes are as if nothing had come; error codes are named."""
    assert answer(datagram, 0x1234).rcode == rcode


@given(st.binary(max_size=600))
def test_no_datagram_breaks_the_reader(datagram: bytes) -> None:
    """Whatever comes, there is a Reply, in bounded time."""
    assert answer(b"\x12\x34\x81\x80" + datagram, 0x1234) is not None


@pytest.mark.parametrize(
    ("replies", "outcome"),
    [
        ([OK, OK, OK], "ok"),
        ([LOST, LOST], "silent"),
        ([OK, LOST], "random"),
        ([Reply(refused=True), LOST], "refused"),
        ([Reply(0.01, "SERVFAIL")] * 2, "fails"),
        ([Reply(0.01, "SERVFAIL"), OK], "random"),
        ([Reply(0.01, "NXDOMAIN")] * 2, "no-such-name"),
        ([Reply(1.5, "NOERROR")] * 3, "slow"),
        ([Reply(unable="there is no bash to ask with")], "unassessed"),
        ([], "unassessed"),
    ],
)
def test_verdicts(replies: list[Reply], outcome: str) -> None:
    """Silence, a refusal, an error and a loss at times are kept apart."""
    assert judge(replies).outcome == outcome


def test_the_command_prints_what_came() -> None:
    """Two times and the datagram in hexadecimal; a refusal by ICMP is a refusal."""
    text = "1000.5 1000.75\n " + " ".join(f"{each:02x}" for each in ANSWER)
    assert parse(Completed(("1",), 0, text), 0x1234) == Reply(0.25, "NOERROR", ("198.51.100.10",))
    refused = "dd: error reading 'standard input': Connection refused\n1000.5 1000.75\n"
    assert parse(Completed(("1",), 0, refused), 0x1234) == Reply(refused=True)
    assert parse(Completed(("1",), 0, "1000.5 1002.5\n"), 0x1234) == Reply()
    assert parse(Completed(("1",), 127, "sh: 3: bash: not found"), 0x1234).unable == "there is no bash to ask with"
    assert "could not be sent" in parse(Completed(("1",), 9, "nonsense"), 0x1234).unable


def test_only_addresses_reach_a_shell() -> None:
    """A resolver that is no address is refused before a command is made of it."""
    with pytest.raises(ValueError, match="does not appear to be"):
        command("$(id)", "web.example.test", 1, 2)


def test_resolvers_are_read() -> None:
    """Addresses of a resolv.conf, the cluster IP of a Service; what is neither is left out."""
    assert nameservers("# x\nnameserver 192.0.2.1\nnameserver evil;id\noptions timeout:1\nnameserver 2001:db8::1") == (
        "192.0.2.1",
        "2001:db8::1",
    )
    assert service_address(b'{"spec": {"clusterIP": "10.43.0.10"}}') == "10.43.0.10"
    assert service_address(b'{"spec": {"clusterIP": "None"}}') == ""
    assert service_address(b"<html>") == ""


def test_who_asks_whom() -> None:
    """Nodes ask all, pods CoreDNS, the operator its own resolver only; CoreDNS itself does not ask by its service."""
    pod = Pod("kube-system", "coredns-1", node="a", phase="Running", ips=("10.42.0.2",), app="kube-dns")
    cluster = coredns(Snapshot(pods={"kube-system/coredns-1": pod}), "10.43.0.10")
    assert cluster == [("10.43.0.10", "kube-dns service"), ("10.42.0.2", "coredns on a")]

    def asked(vantage: Vantage, own: tuple[str, ...] = ()) -> set[tuple[str, str]]:
        return {(each.resolver, each.name) for each in questions(vantage, own, cluster, ["x.test"])}

    wire = LocalTransport()
    inside = {(address, name) for address, _ in cluster for name in (INSIDE, "x.test")}
    assert asked(Vantage("node", "a", wire, node="a"), ("192.0.2.1",)) == inside | {("192.0.2.1", "x.test")}
    assert asked(Vantage("pod", "pod@b", wire, address="10.42.1.2")) == inside
    assert asked(Vantage("operator", "operator", wire), ("192.0.2.1",)) == {("192.0.2.1", "x.test")}
    assert asked(Vantage("pod", "pod@a", wire, address="10.42.0.2")) == {
        ("10.42.0.2", INSIDE),
        ("10.42.0.2", "x.test"),
    }


@pytest.mark.parametrize(
    ("corefile", "name"),
    [
        (".:53 {\n    errors\n    kubernetes cluster.local in-addr.arpa ip6.arpa {\n    }\n}\n", INSIDE),
        (".:53 {\n    kubernetes k8s.example.net in-addr.arpa {\n", "kubernetes.default.svc.k8s.example.net"),
        (".:53 {\n    kubernetes home.arpa.example. {\n", "kubernetes.default.svc.home.arpa.example"),
        (".:53 {\n    forward . 1.1.1.1\n}\n", INSIDE),
    ],
)
def test_the_clusters_domain_is_what_coredns_serves(corefile: str, name: str) -> None:
    """The first zone of the kubernetes plugin is the domain; without one it is the default."""
    assert inside_name(json.dumps({"data": {"Corefile": corefile}}).encode()) == name
    assert inside_name(b"{") == inside_name(b'{"data":{}}') == INSIDE
