"""Addresses without their secrets, as messages show them."""

from __future__ import annotations

import re

MASK = "***"
#: A name and a password up to the last ``@``: a secret may hold ``/`` and ``@`` where a colon begins it.
_USERINFO = re.compile(r"(?<=://)(?:[^\s@/:]*:\S*|[^\s@/]*)@")
_IN_QUERY = re.compile(
    r"([?&;][^=&\s'\"]*(?:passw|secret|token|signature|credential)[^=&\s'\"]*=)[^&\s'\"]+", re.IGNORECASE
)


def masked(text: str) -> str:
    """Return ``text`` with ``***`` for the user and password, and for secret parameters, of each address."""
    return _IN_QUERY.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", text))


def masked_address(address: str) -> str:
    """Return one address, usable or not, as it may be shown: what may be a secret in it is ``***``."""
    scheme, mark, rest = address.partition("://")
    user, at, place = rest.rpartition("@")
    if at and user:
        return masked(f"{scheme}{mark}{MASK}@{place}")
    if scheme == "s3" and ":" in rest:  # a bucket has no port: these are keys whose bucket was left out
        return f"{scheme}{mark}{MASK}"
    return masked(address)
