"""What the demo cluster let in is gone when it is gone, however rude the peer."""

import asyncio
import socket
import ssl

import pytest

from lab.cluster import LabCluster
from lab.listener import Listener


async def _let_in(*doors: Listener) -> None:
    async with asyncio.timeout(5):
        while not all(door.accepted for door in doors):  # noqa: ASYNC110 - no event tells of an accept
            await asyncio.sleep(0)


async def test_a_cut_ends_what_hangs_in_its_handshake() -> None:
    """A peer that opened a connection and never said a word of TLS or SSH does not outlive the demo cluster."""
    async with LabCluster("healthy") as lab:
        silent = [socket.create_connection(("127.0.0.1", port)) for port in (lab.port, *lab.ports.values())]
        doors = [lab._door, *(door for _, door in lab._acceptors.values())]
        await _let_in(*doors)
    assert not [peer for door in doors for peer in door.accepted if peer.fileno() != -1]
    for peer in silent:
        peer.close()


async def test_a_peer_that_says_no_goodbye_is_not_waited_for() -> None:
    """TLS's last word is not awaited: a client that never answers close_notify is cut at the end."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with LabCluster("healthy") as lab:
        raw = socket.create_connection(("127.0.0.1", lab.port))
        wrapped = await asyncio.to_thread(context.wrap_socket, raw)  # a blocking client that then says nothing
        door = lab._door
    assert not [peer for peer in door.accepted if peer.fileno() != -1]
    wrapped.close()


async def test_a_pause_keeps_what_was_let_in() -> None:
    """After a pause the API listens on the same port, and those let in before it are cut at the end as well."""
    async with LabCluster("healthy") as lab:
        peer = socket.create_connection(("127.0.0.1", lab.port))
        await _let_in(lab._door)
        before = lab._door
        await lab.pause_api()
        await lab.resume_api()
        assert lab._door is not before
        assert set(before.accepted) <= set(lab._door.accepted)
        kept = list(before.accepted)
    assert all(each.fileno() == -1 for each in kept)
    peer.close()


async def test_a_cluster_ends_while_its_api_is_paused() -> None:
    """A pause closed the listening socket: the end has nothing to take back of it, and cuts who was let in."""
    async with LabCluster("healthy") as lab:
        await lab.pause_api()
        await asyncio.sleep(0)
        door = lab._door
    assert door.fileno() == -1


def test_a_port_that_is_taken_is_told() -> None:
    """A port in use is an error and leaves no socket open."""
    with Listener() as first, pytest.raises(OSError, match="in use"):
        Listener(first.getsockname()[1])
