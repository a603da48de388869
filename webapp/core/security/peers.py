"""Where a request comes from, as it is counted."""

from __future__ import annotations

from ipaddress import ip_address, ip_network


def place_of(peer: str) -> str:
    """An IPv4 address as it is; of an IPv6 address its /64, which one household or one attacker has to itself."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ip_network((address, 64), strict=False))
