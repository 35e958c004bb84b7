"""Addresses of clients -> what connections and guesses are counted by."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNKNOWN = "unknown"  # an address that is none


@lru_cache(4_096)
def network_address(host: str) -> str:
    """Return the address that a bound counts: of IPv6 the network of 64 bits, which one machine has to itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        if not address.is_loopback:
            return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)).network_address)
    return str(address)


@lru_cache(4_096)
def within(address: str, networks: tuple[Network, ...]) -> bool:
    """Return whether an address is in one of the networks."""
    return address != UNKNOWN and any(ipaddress.ip_address(address) in network for network in networks)
