"""Addresses without their secrets, as messages show them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

MASK = "***"
#: A name and a password up to the last ``@``: a secret may hold ``/`` and ``@`` where a colon begins it.
_USERINFO = re.compile(r"(?<=://)(?:[^\s@/:]*:\S*|[^\s@/]*)@")
_IN_QUERY = re.compile(
    r"([?&;][^=&\s'\"]*(?:passw|secret|token|signature|credential)[^=&\s'\"]*=)[^&\s'\"]+", re.IGNORECASE
)
#: Names of environment variables whose values are secrets.
_SECRET_NAME = re.compile(
    r"passw|secret|token|credential|signature|private|api_?key|access_?key|_key$|_url$|_dsn$|auth",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """Return ``text`` with ``***`` for the user and password, and for secret parameters, of each address."""
    return _IN_QUERY.sub(rf"\1{MASK}", _USERINFO.sub(f"{MASK}@", text))


def is_secret(name: str) -> bool:
    """Tell whether a variable of that name holds a secret, as far as names tell."""
    return _SECRET_NAME.search(name) is not None


def masked_values(text: str, values: Iterable[str]) -> str:
    """Return ``text`` as ``masked`` does, and with ``***`` wherever one of ``values`` stands."""
    for value in sorted(filter(None, values), key=len, reverse=True):
        text = text.replace(value, MASK)
    return masked(text)


def masker(values: Iterable[str]) -> Callable[[str], str]:
    """Return what does as ``masked_values`` does with these ``values``, for many texts."""
    secrets = sorted({value for value in values if value}, key=len, reverse=True)
    if not secrets:
        return masked
    any_of = re.compile("|".join(map(re.escape, secrets)))
    return lambda text: masked(any_of.sub(MASK, text))


def masked_address(address: str) -> str:
    """Return one address, usable or not, as it may be shown: what may be a secret in it is ``***``."""
    scheme, mark, rest = address.partition("://")
    user, at, place = rest.rpartition("@")
    if at and user:
        return masked(f"{scheme}{mark}{MASK}@{place}")
    if scheme == "s3" and ":" in rest:  # a bucket has no port: these are keys whose bucket was left out
        return f"{scheme}{mark}{MASK}"
    return masked(address)
