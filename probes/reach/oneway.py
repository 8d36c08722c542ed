"""Which way a size is lost: a datagram to a port where nobody listens is refused by a small message, or by nothing.

An echo's reply is as long as its request, so a size that is lost may be lost on either way; this asks of one alone. A
UDP socket's datagrams may not be cut on their way (Linux ip_no_pmtu_disc 0: DF is set), and the answer to a refused
one is 576 bytes at the most (RFC 1812 section 4.3.2.3).
"""

from typing import Final, Literal

from probes.model.observation import Completed
from probes.reach.echo import family

_HEADERS: Final = {4: 28, 6: 48}
_PORT: Final = 33499
"""Beyond those that traceroute uses; nobody is expected to listen there."""
SECONDS: Final = 4.0
_BASH: Final = """\
exec 3<>"/dev/udp/$1/$2" || exit 9
for i in 1 2; do
  head -c "$3" /dev/zero | dd obs=65507 status=none >&3 || exit 0
  read -t 1.2 -u 3 || [ $? -gt 128 ] || exit 0
done
"""
"""Two datagrams more than a second apart: kernels limit how often they refuse (net.ipv4.icmp_ratelimit)."""


def command(address: str, size: int) -> tuple[str, ...]:
    """Give the command that sends datagrams of ``size`` bytes, headers included; ends by itself within SECONDS."""
    return "bash", "-c", _BASH, "bash", address, str(_PORT), str(max(1, size - _HEADERS[family(address)]))


def direction(small: Completed | None, large: Completed | None) -> Literal["there", "back", "both"]:
    """Say which way the large ones are lost; ``both``: it cannot be told, as nobody refuses the small ones either."""
    small_refused, large_refused = (each is not None and "refused" in each.stdout for each in (small, large))
    if not small_refused or large is None:
        return "both"
    return "back" if large_refused else "there"
