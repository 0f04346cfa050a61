"""Who may send: a list of AE titles at addresses, as the settings hold it."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

ANY = "*"
_CALLER = re.compile(
    r"(?P<aet>[^@]+)@(?:\[(?P<six>[^\]]+)\](?::(?P<port6>\d+))?|(?P<four>[^:]+)(?::(?P<port4>\d+))?|(?P<bare>.+))"
)
_LONGEST_AET = 16

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Caller:
    """One who may send: an AE title (`ANY` for all) at the addresses of a network; `port` is where it listens itself."""

    aet: str
    network: Network
    port: int | None = None

    def fits(self, aet: str, address: str) -> bool:
        """Return whether an association with this AE title from this address is this caller's."""
        return self.aet in (ANY, aet.strip()) and self.is_at(address)

    def is_at(self, address: str) -> bool:
        """Return whether an address is one of this caller's."""
        at = plain_address(address)
        return at is not None and at.version == self.network.version and at in self.network


def plain_address(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return an address; one of IPv4 that is written in IPv6 as itself, None for what is none."""
    try:
        at = ipaddress.ip_address(address)
    except ValueError:
        return None
    return (at.ipv4_mapped if isinstance(at, ipaddress.IPv6Address) else None) or at


def callers(text: str) -> tuple[Caller, ...]:
    """Read a list of callers; raises `ValueError` with a sentence for what is none.

    >>> callers("MAMMO1@10.0.4.17:11112, *@10.0.5.0/24")[0].port
    11112
    """
    return tuple(_caller(part.strip()) for part in text.split(",") if part.strip())


def check_aet(aet: str) -> str:
    """Return an AE title without spaces around it; raises `ValueError` for what is none (PS3.5, VR AE)."""
    plain = aet.strip()
    if (
        not plain
        or len(plain) > _LONGEST_AET
        or not plain.isascii()
        or not plain.isprintable()
        or "\\" in plain
    ):
        raise ValueError(
            f"{aet!r} is no AE title: 1 to {_LONGEST_AET} characters of ASCII, without backslash."
        )
    return plain


def _caller(text: str) -> Caller:
    match = _CALLER.fullmatch(text)
    if match is None:
        raise ValueError(_no_caller(text))
    where = match["six"] or match["four"] or match["bare"]
    port = match["port6"] or match["port4"]
    try:
        network = ipaddress.ip_network(where, strict=False)
        if port is not None and not 0 < int(port) < 65536:
            raise ValueError
        aet = match["aet"].strip() if match["aet"].strip() == ANY else check_aet(match["aet"])
    except ValueError:
        raise ValueError(_no_caller(text)) from None
    return Caller(aet, network, int(port) if port else None)


def _no_caller(text: str) -> str:
    return (
        f"LONGVIEW_LISTEN_CALLERS: {text!r} names no sender. Write AETITLE@ADDRESS, such as MAMMO1@10.0.4.17, "
        "MAMMO1@10.0.4.17:11112 where it listens itself, or *@10.0.4.0/24 for all of a network."
    )
