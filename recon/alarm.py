"""Looks how the engine stands, and tells whom it may concern: from a worker, or from a process beside Redis.

State name: ``alerts.json`` (``recon.alert_book``). ``alarm(settings).round(now)`` is one look; any number of
processes may call it as often as they like: one at a time acts, and not more often than each ``REST_S``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from recon import access, outlook
from recon.adapters.redis_client import RedisBroker
from recon.adapters.turn import FolderTurn, RedisTurn
from recon.alert_book import load_alerts, save_alerts
from recon.core.alert_message import Message
from recon.core.alert_words import is_bad, notification
from recon.core.alerting import AlertBook, AlertRules, due, noted, told, unseen
from recon.core.conditions import Condition, ConditionName, Limits, conditions
from recon.core.outbox import Audience
from recon.errors import StateError
from recon.masking import masker
from recon.settings import AlertChannel, Settings, alert_channels, alerts_failures, secrets_of
from recon.standing import Sources, standing

if TYPE_CHECKING:
    from recon.adapters.alerts import Services

#: Looks are at least so far apart, whoever takes them: just below the minute after which each looks again.
REST_S = 55.0
#: A look that takes longer has lost its turn.
_TURN_S = 30.0
#: What a failed cycle is to those who are told of failures only.
FAILURES = frozenset((ConditionName.CYCLE_FAILED, ConditionName.CYCLE_LATE))
_log = logging.getLogger(__name__)


class Turn(Protocol):
    """Whose turn it is."""

    def take(self) -> AbstractContextManager[bool]:
        """Give the turn for the block, if nobody has it."""
        ...


@dataclass(frozen=True, slots=True)
class Round:
    """What one look came to: what stands, and channel name -> what went wrong ("" where it was told)."""

    conditions: tuple[Condition, ...]
    outcomes: Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Alarm:
    """One process' part in the alerts; keep it for many rounds."""

    sources: Sources
    limits: Limits
    rules: AlertRules
    channels: tuple[AlertChannel, ...]
    prefix: str
    turn: Turn
    mask: Callable[[str], str]
    _services: Services | None = field(default=None, init=False)
    _last: AlertBook = field(default_factory=AlertBook, init=False)

    def round(self, now: datetime) -> Round | None:
        """Look, note, and tell what is due; None where another process has the turn. Never raises.

        It takes as long as the slowest server lets itself be asked, and ``alerts.PATIENCE_S`` for channels.
        """
        with self.turn.take() as mine:
            return self._round(now) if mine else None

    def standing_now(self, now: datetime) -> tuple[Condition, ...]:
        """Return what is wrong now, and tell nobody."""
        return tuple(conditions(standing(self.sources, now), self.limits))

    def book(self) -> AlertBook:
        """Return what is remembered; raise ``StateError`` where that cannot be read."""
        return load_alerts(self.sources.state)

    def test(self, now: datetime) -> dict[str, str]:
        """Tell every channel that this is a test; return channel id -> what went wrong, "" if nothing did."""
        from recon.adapters.alerts import Notification  # noqa: PLC0415 - apprise takes 0.2 s to import

        body = f"Alerts reach this channel.\n\nlake: {self.sources.lake}\nsent: {now:%Y-%m-%d %H:%M} UTC"
        said = Notification(f"{self.prefix} test", body, is_bad=False)
        return self.services().send({channel.id: said for channel in self.channels})

    def services(self) -> Services:
        """Return the services behind the channels."""
        if self._services is None:
            from recon.adapters.alerts import Services  # noqa: PLC0415 - as above

            self._services = Services({one.id: one.address for one in self.channels}, self.mask)
        return self._services

    def _round(self, now: datetime) -> Round:
        seen = standing(self.sources, now)
        found = tuple(conditions(seen, self.limits))
        before = self._read()
        book = noted(before, found, unseen(seen), self.rules, now)
        self._write(before, book)
        names = {one.id: one.name for one in self.channels}
        outcomes = self._sent(book, now)
        self._write(book, told(book, outcomes, now))
        for channel, (_, problem) in outcomes.items():
            if problem:
                _log.warning("alerts do not reach %s, which is tried again: %s", names[channel], problem)
        return Round(found, {names[channel]: problem for channel, (_, problem) in outcomes.items()})

    def _sent(self, book: AlertBook, now: datetime) -> dict[str, tuple[tuple[Message, ...], str]]:
        waiting = due(book, now)
        if not waiting:
            return {}
        from recon.adapters.alerts import Notification  # noqa: PLC0415 - as above

        notes = {}
        for channel, messages in waiting.items():
            title, body = notification(messages, self.prefix, self.sources.lake)
            notes[channel] = Notification(self.mask(title), self.mask(body), is_bad(messages))
        problems = self.services().send(notes)
        return {channel: (messages, problems[channel]) for channel, messages in waiting.items()}

    def _read(self) -> AlertBook:
        """Return the book; while the state cannot be read, what this process remembers."""
        try:
            return load_alerts(self.sources.state)
        except StateError as error:
            _log.warning("what was told is not known, but to this process: %s", error)
            return self._last

    def _write(self, before: AlertBook, after: AlertBook) -> None:
        self._last = after
        if after == before:
            return
        try:
            save_alerts(self.sources.state, after)
        except StateError as error:
            _log.warning("what was told cannot be noted, but in this process: %s", error)


def alarm(chosen: Settings) -> Alarm:
    """Return this process' part in the alerts; nothing is asked, and no server started, before a round."""
    channels, sources = alert_channels(chosen), outlook.sources(chosen)
    every_s = chosen.notifications.digest_s
    return Alarm(
        sources=sources,
        limits=outlook.limits(chosen),
        rules=AlertRules(
            tuple(Audience(one.id, _names(one)) for one in channels),
            frozenset() if alerts_failures(chosen) else FAILURES,
            None if every_s is None else timedelta(seconds=every_s),
        ),
        channels=channels,
        prefix=chosen.notifications.email.subject_prefix,
        turn=_turn(chosen),
        mask=masker(secrets_of(chosen)),
    )


def _names(channel: AlertChannel) -> frozenset[ConditionName] | None:
    if channel.told_of_failures and channel.told_of_the_rest:
        return None
    return FAILURES if channel.told_of_failures else frozenset(ConditionName) - FAILURES


def _turn(chosen: Settings) -> Turn:
    folder = chosen.state_folder
    if folder is not None:
        return FolderTurn(folder, "alerts", REST_S)
    server = RedisBroker.connect(
        access.broker_address(chosen), reply_timeout_s=outlook.REPLY_TIMEOUT_S, retries=0
    )
    return RedisTurn(server, chosen.queues.prefix, "alerts", _TURN_S, REST_S)
