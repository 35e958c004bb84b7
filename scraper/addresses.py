"""Names and addresses of servers: look them up, and decide which ones may be contacted."""

import ipaddress
import socket
from itertools import zip_longest
from typing import Any

PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")  # all that is assigned for the internet
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # IPv4 addresses in networks without IPv4

Address = tuple[socket.AddressFamily, tuple[Any, ...]]


def is_allowed(address: str, local: bool) -> bool:
    """Whether an address lies in the internet or, if `local`, in the local network.

    An IPv6 address that contains an IPv4 address is checked by the latter. Link-local addresses are never allowed:
    at cloud providers one of them hands out credentials.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour
        if ip in NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_allowed(str(inner), local)
        public = ip in PUBLIC_V6 and ip.is_global
    else:
        public = ip.is_global and not ip.is_multicast
    return public or (local and not (ip.is_link_local or ip.is_multicast or ip.is_unspecified))


def lookup(host: str, port: int) -> list[Address]:
    """All addresses of a name in the system's order of preference, IPv4 and IPv6 alternating."""
    families: dict[socket.AddressFamily, list[Address]] = {}
    for family, _, _, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        families.setdefault(family, []).append((family, address))
    return [found for turn in zip_longest(*families.values()) for found in turn if found]
