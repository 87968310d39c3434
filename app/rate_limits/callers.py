"""Whom a request is counted for: a user, or else an address. This machine's own addresses are nobody's."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

from app.identity import email_addresses, usernames

_LONGEST: Final = 45  # of an IPv6 address with an IPv4 address at its end
_NETWORK_BITS: Final = 64
#: What stands for all who are said to come from something that is no address.
_UNKNOWN: Final = "unknown"


def address_of(client: Sequence[Any] | None) -> str | None:
    """Return whom an anonymous request counts for; None for whoever is on this machine, where nobody far away is.

    `client` is the host and port that the connection comes from, or that a trusted proxy says; None of a unix socket.
    """
    if client is None:
        return None
    host = str(client[0])
    return _UNKNOWN if len(host) > _LONGEST else _address(host)


@lru_cache(maxsize=4096)
def _address(host: str) -> str | None:
    """Return the address, or of IPv6 the /64 network, since a customer has at least one of those to oneself."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return _UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> _NETWORK_BITS << _NETWORK_BITS))
    return str(address)


def account_of(login: str) -> str:
    """Return what stands for the account asked for; never the text itself, since people type passwords there.

    It is one for all that finds the same account: an e-mail address can be written in many ways.
    """
    login = login.strip()
    sought = (email_addresses.sought(login) if "@" in login else None) or usernames.key(login)
    return blake2b(sought.encode("utf-8", "replace"), digest_size=16).hexdigest()
