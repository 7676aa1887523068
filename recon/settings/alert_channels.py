"""Where alerts go: the addresses of RECON_ALERT_URLS, and the owner's email and slack (docs/alerts.md)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from recon.core.invalid import did_you_mean
from recon.model import Notice
from recon.settings.sections import LoopSection, NotificationsSection
from recon.strict_yaml import Document

if TYPE_CHECKING:
    from recon.settings.values import Settings

EMAIL, SLACK = "email", "slack"
_NAMES = (EMAIL, SLACK)
_WEBHOOK = re.compile(r"https://hooks\.slack\.com/services/([^/\s]+)/([^/\s]+)/([^/?\s]+)/?")
#: Services whose address begins with a host, not with a token.
_WITH_HOST = ("json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "ntfys")
_FIX = (
    "set RECON_ALERT_URLS (mailtos://user:password@host, slack://…, json://host/path), or notifications."
    "email (to, and server: smtp://host:25), or notifications.slack.webhook_url (docs/alerts.md)"
)


@dataclass(frozen=True, slots=True)
class AlertChannel:
    """One service: its id, its name without secrets, its address for apprise, and what it is told of."""

    id: str
    name: str
    address: str = field(repr=False)
    told_of_failures: bool = True
    told_of_the_rest: bool = True


def alert_channels(settings: Settings) -> tuple[AlertChannel, ...]:
    """Return every service that alerts go to."""
    return tuple(_channels(settings.notifications, settings.loop, settings.alert_urls))


def alerts_failures(settings: Settings) -> bool:
    """Tell whether failed and late cycles are told to anybody."""
    return settings.loop.alert_on_failure


def alert_notices(
    told: NotificationsSection, loop: LoopSection, urls: tuple[str, ...], document: Document
) -> Iterator[Notice]:
    """Yield what keeps alerts that the file asks for from reaching anybody, with the next step."""
    for name in loop.alert_channels:
        if name not in _NAMES:
            at = document.where(("reconciliation_loop", "alert_channels"), key=True)
            yield Notice(
                f"alert_channels: {name!r} is no channel{did_you_mean(name, _NAMES)}; expected email or "
                "slack. Other services go into RECON_ALERT_URLS",
                at,
            )
    channels = list(_channels(told, loop, urls))
    if _is_written_on(document, "reconciliation_loop", "alert_on_failure") and not any(
        one.told_of_failures for one in channels
    ):
        yield Notice(
            f"a failed cycle is told to nobody: alert_on_failure has no usable channel. Next: {_FIX}",
            document.where(("reconciliation_loop", "alert_on_failure"), key=True),
        )
    elif _is_written_on(document, "notifications", "enabled") and not any(
        one.told_of_the_rest for one in channels
    ):
        yield Notice(
            f"notifications reach nobody: no channel can be used. Next: {_FIX}",
            document.where(("notifications", "enabled"), key=True),
        )
    else:
        yield from _unusable(told, loop, urls, document)


def _unusable(
    told: NotificationsSection, loop: LoopSection, urls: tuple[str, ...], document: Document
) -> Iterator[Notice]:
    """Yield which of several channels cannot be used."""
    at = document.where(("reconciliation_loop", "alert_channels"), key=True)
    if (told.email.to or EMAIL in loop.alert_channels) and _email(told, urls) is None:
        lacks = "server: smtp://host:25" if told.email.to else "to and server"
        yield Notice(
            f"the channel email cannot be used: notifications.email has no {lacks}, and RECON_ALERT_URLS no "
            "mailto(s):// address",
            document.where(("notifications", "email"), key=True) if told.email.to else at,
        )
    if (told.slack.webhook_url or SLACK in loop.alert_channels) and _slack(told) is None:
        where = document.where(("notifications", "slack", "webhook_url"), key=True)
        yield Notice(
            "the channel slack cannot be used: expected notifications.slack.webhook_url as Slack shows it, "
            "https://hooks.slack.com/services/…; other services go into RECON_ALERT_URLS",
            where if told.slack.webhook_url else at,
        )


def _channels(told: NotificationsSection, loop: LoopSection, urls: tuple[str, ...]) -> Iterator[AlertChannel]:
    taken = ""
    for name, address in ((EMAIL, _email(told, urls)), (SLACK, _slack(told))):
        hears = loop.alert_on_failure and (not loop.alert_channels or name in loop.alert_channels)
        if address is not None and (hears or told.enabled):
            shown = name if name == EMAIL else f"{name} {told.slack.channel}".strip()
            yield AlertChannel(_id(address), shown, address, hears, told.enabled)
            taken = _mail(urls) if name == EMAIL and told.email.server is None else taken
    for url in dict.fromkeys(urls):
        if url != taken:
            yield AlertChannel(_id(url), _shown(url), url, loop.alert_on_failure)


def _email(told: NotificationsSection, urls: tuple[str, ...]) -> str | None:
    """Return where mail goes, as apprise spells it; None where nobody, or no server, is known."""
    to, server = told.email.to, told.email.server
    if not to:
        return None
    address = _mail(urls) if server is None else f"mailto{server.removeprefix('smtp')}"
    if not address:
        return None
    base, _, query = address.partition("?")
    kept = [pair for pair in query.split("&") if pair and not pair.startswith("to=")]
    if "@" not in base and not any(pair.startswith("from=") for pair in kept):
        kept.append(f"from=recon@{to[0].rpartition('@')[2]}")
    return f"{base}?{'&'.join([*kept, 'to=' + quote(','.join(to), safe='@,')])}"


def _mail(urls: tuple[str, ...]) -> str:
    return next((url for url in urls if url.startswith(("mailto://", "mailtos://"))), "")


def _slack(told: NotificationsSection) -> str | None:
    found = _WEBHOOK.fullmatch(told.slack.webhook_url.strip())
    if found is None:
        return None
    channel = quote(told.slack.channel, safe="")
    return f"slack://{'/'.join(found.groups())}/{channel}"


def _shown(url: str) -> str:
    """Return an address as it may be shown: most services keep their tokens where others have hosts."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return "***"
    if scheme not in _WITH_HOST:
        return f"{scheme}://***"
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{scheme}://***"
    return f"{scheme}://{host}{port}"


def _id(address: str) -> str:
    return blake2b(address.encode(), digest_size=8).hexdigest()


def _is_written_on(document: Document, section: str, key: str) -> bool:
    found = document.value.get(section) if isinstance(document.value, dict) else None
    return isinstance(found, dict) and found.get(key) is True
