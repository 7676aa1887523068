"""Whether a Redis may be reached from other hosts, and by whom."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

LOCAL_SCHEMES = ("unix", "redis+socket")


def is_remote(address: str) -> bool:
    """Tell whether this Redis may serve other hosts than this one."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    return (
        parts.scheme not in LOCAL_SCHEMES and host not in ("localhost", "::1") and not host.startswith("127.")
    )


def is_exposed(address: str) -> bool:
    """Tell whether this Redis is on another host, with neither a password nor verified TLS.

    TLS whose certificate is not verified (``ssl_cert_reqs=none``) protects from nobody.
    """
    parts = urlsplit(address)
    said = parse_qs(parts.query)
    verified = parts.scheme == "rediss" and "none" not in "".join(said.get("ssl_cert_reqs", [])).lower()
    return is_remote(address) and not (parts.password or said.get("password") or verified)


def shown_host(address: str) -> str:
    """Return host and port, and no secret."""
    parts = urlsplit(address)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
