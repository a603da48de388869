"""Where a request comes from, as it is counted."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def place_of(peer: str) -> str:
    """An IPv4 address as it is; of an IPv6 address its /64, which one household or one attacker has to itself."""
    address = _address(peer)
    if address is None:
        return peer
    return str(ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


def _address(peer: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
