"""Web addresses from outside: read strictly, and which hosts are on the open internet."""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

import msgspec

MAX_ADDRESS = 2_000
_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>[/?][!-~]*)?",
    re.ASCII | re.IGNORECASE,
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")
_NEVER = frozenset('\\"<>^`{|}')
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """An address that is not asked, and why, in words that follow it."""


class Where(msgspec.Struct, frozen=True):
    """A checked address in its parts; ``host`` in lower case, IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def parse(address: str) -> Where:
    """The parts of an address; stricter than browsers are, so that no two readers can differ. Raises Refused."""
    if not isinstance(address, str) or len(address) > MAX_ADDRESS:
        raise Refused("is no address")
    match = _ADDRESS.fullmatch(address)
    if not match or _NEVER.intersection(address) or "#" in address:
        raise Refused("is not a plain http or https address")
    scheme, host = match["scheme"].lower(), match["host"].lower()
    if host.startswith("["):
        try:
            host = str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            raise Refused("is not a plain http or https address") from None
    elif not _NAME.fullmatch(host):
        raise Refused("has no proper host name")
    port = int(match["port"]) if match["port"] else (443 if scheme == "https" else 80)
    if not 0 < port < 65536:
        raise Refused("has an impossible port")
    target = match["target"] or "/"
    return Where(scheme, host, port, target if target.startswith("/") else f"/{target}")


def is_loopback(host: str) -> bool:
    """Whether a host, as it is written, is this machine."""
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def is_public(address: str) -> bool:
    """Whether a numeric address is one of the open internet, also looking into those that wrap an IPv4 address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if not inner and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner:
            return is_public(str(inner))
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def covers(listed: str, host: str) -> bool:
    return host.endswith(listed) and host != listed.lstrip(".") if listed.startswith(".") else host == listed
