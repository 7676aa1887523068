"""Flower's users, from the environment, and the variables that Flower itself reads."""

from __future__ import annotations

import os
from collections.abc import Mapping

from recon.errors import ConfigError

#: ``user:password``; several users separated by commas.
FLOWER_AUTH = "RECON_FLOWER_AUTH"
#: Flower's own variables that decide who may reach it: recon decides that alone.
_DECIDING = (
    *(
        "FLOWER_ADDRESS",
        "FLOWER_PORT",
        "FLOWER_UNIX_SOCKET",
        "FLOWER_CONF",
        "FLOWER_BASIC_AUTH",
        "FLOWER_AUTH",
    ),
    *("FLOWER_AUTH_PROVIDER", "FLOWER_OAUTH2_KEY", "FLOWER_OAUTH2_SECRET", "FLOWER_OAUTH2_REDIRECT_URI"),
    *("FLOWER_UNAUTHENTICATED_API", "FLOWER_READ_ONLY", "FLOWER_DB", "FLOWER_PERSISTENT"),
)


def flower_users(environ: Mapping[str, str] | None = None) -> str | None:
    """Return Flower's users, ``user:password[,user:password]``, or None where there are none.

    Raises:
        ConfigError: One of them has no name or no password; the message shows neither.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - settings are its only reader
    said = environ.get(FLOWER_AUTH, "").strip()
    for number, user in enumerate(said.split(",") if said else (), 1):
        name, _, password = user.partition(":")
        if not (name.strip() and password.strip()):
            raise ConfigError(
                f"{FLOWER_AUTH}: expected user:password, got no name or no password in part {number}; "
                "several users are separated by commas, so that no password may hold one"
            )
    return said or None


def tell_flower(users: str | None) -> None:
    """Set the variables by which Flower, in this process, knows its users; none of its command line does."""
    for name in _DECIDING:
        os.environ.pop(name, None)  # noqa: TID251 - settings alone touch it
    if users is not None:
        os.environ["FLOWER_BASIC_AUTH"] = users  # noqa: TID251 - settings alone touch it
