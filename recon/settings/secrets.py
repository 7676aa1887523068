"""What must never be shown: the secrets of the environment and of the settings, as texts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from recon.masking import is_secret
from recon.settings.flower import FLOWER_AUTH
from recon.settings.values import Settings

#: A shorter text would be found in words that are no secrets.
_SHORTEST = 6
#: Words of addresses that are no secrets, however the address is kept.
_PLAIN = frozenset(("localhost", "services", "hooks.slack.com", "webhook", "default"))


def secrets_of(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the texts that no log line, message or page may hold.

    They are the secrets in the process' environment, as far as names tell, in the addresses of broker, queues
    and alerts, and in the scrapers' own environments.
    """
    environ = os.environ if environ is None else environ  # noqa: TID251 - settings are its only reader
    found = {*_of_names(environ.items()), *_of_alert_urls(settings)}
    for user in environ.get(FLOWER_AUTH, "").split(","):
        found.add(user.partition(":")[2])
    for scraper in settings.scrapers.values():
        found.update(_of_names(scraper.env.items()))
    for address in (settings.broker, settings.queues_url, environ.get("RECON_REDIS_URL")):
        found.update(_of_address(address or ""))
    return tuple(sorted(text for text in found if len(text) >= _SHORTEST))


def _of_names(variables: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in variables:
        if is_secret(name):
            yield from _of_address(text) if "/" in text else (text,)


def _of_alert_urls(settings: Settings) -> Iterator[str]:
    """Yield what services put their tokens into: any part of an address, but a host that is a name."""
    for address in (*settings.alert_urls, settings.notifications.slack.webhook_url):
        yield address
        yield from _of_address(address)
        scheme, _, rest = address.partition("://")
        names = {*_PLAIN, scheme, urlsplit(address).hostname if "." in rest.partition("/")[0] else None}
        for part in rest.partition("?")[0].replace("@", "/").replace(":", "/").split("/"):
            if part.lower() not in names and not part.startswith("#"):
                yield part
                yield unquote(part)


def _of_address(text: str) -> Iterator[str]:
    """Yield the password and secret parameters of an address; a text that is none is a secret whole."""
    _, mark, rest = text.partition("://")
    if not mark:
        yield text
        return
    userinfo = rest.rpartition("@")[0]
    password = userinfo.partition(":")[2]
    for part in (password, *(value for name, value in parse_qsl(rest.partition("?")[2]) if is_secret(name))):
        yield part
        yield unquote(part)
