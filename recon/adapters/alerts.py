"""Sends a notification to services, each in a thread of its own, through apprise."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import apprise

#: Seconds to reach a service, and to hear its answer, unless its address tells ``cto`` and ``rto``.
_TIMES = {"cto": 2, "rto": 3}
#: Seconds that all of them together may take: what has not answered by then has failed.
PATIENCE_S = 5.0
_WORDS_MAX = 300


@dataclass(frozen=True, slots=True)
class Notification:
    """What to tell one service."""

    title: str
    body: str
    is_bad: bool


class Services:
    """Services by their ids; an address that apprise does not understand is a problem when it is used.

    ``mask`` takes out of words what must not be shown.
    """

    def __init__(self, addresses: Mapping[str, str], mask: Callable[[str], str]) -> None:
        self._mask = mask
        self._services = {channel: _service(address) for channel, address in addresses.items()}

    def unusable(self) -> list[str]:
        """Return the ids of those whose address apprise does not understand."""
        return [channel for channel, service in self._services.items() if service is None]

    def send(self, told: Mapping[str, Notification]) -> dict[str, str]:
        """Tell each service its own; return what went wrong by id, "" where nothing did."""
        problems: dict[str, str] = {}
        threads = [
            threading.Thread(target=self._send, args=(*item, problems), name="alert", daemon=True)
            for item in told.items()
        ]
        until_s = time.monotonic() + PATIENCE_S
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until_s - time.monotonic()))
        found = dict(problems)
        return {channel: found.get(channel, f"no answer within {PATIENCE_S:g} s") for channel in told}

    def _send(self, channel: str, told: Notification, problems: dict[str, str]) -> None:
        service = self._services[channel]
        if service is None:
            problems[channel] = "apprise does not understand its address; see its documentation for the form"
            return
        kind = apprise.NotifyType.FAILURE if told.is_bad else apprise.NotifyType.SUCCESS
        with _said() as words:
            try:
                is_sent = bool(
                    service.notify(
                        body=told.body,
                        title=told.title,
                        notify_type=kind,
                        body_format=apprise.NotifyFormat.TEXT,
                    )
                )
            except Exception as error:  # noqa: BLE001 - a service's failure is news of that service
                is_sent, words[:] = False, [f"{type(error).__name__}: {error}"]
        why = " ".join(" ".join(words).split())[:_WORDS_MAX]
        problems[channel] = "" if is_sent else self._mask(why) or "it refused the notification"


def _service(address: str) -> apprise.NotifyBase | None:
    service = apprise.Apprise.instantiate(_with_times(address), suppress_exceptions=True)
    return service if isinstance(service, apprise.NotifyBase) else None


def _with_times(address: str) -> str:
    """Return an address with the times that a service gets, where it tells none."""
    told = "&".join(f"{name}={s}" for name, s in _TIMES.items() if f"{name}=" not in address)
    return f"{address}{'&' if '?' in address else '?'}{told}" if told else address


@contextmanager
def _said() -> Iterator[list[str]]:
    """Collect what apprise says in this thread: the reasons of a failure are nowhere else."""
    words: list[str] = []
    mine = threading.get_ident()

    class _Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == mine:
                words.append(record.getMessage())

    listener, logger = _Listener(logging.WARNING), logging.getLogger("apprise")
    logger.addHandler(listener)
    try:
        yield words
    finally:
        logger.removeHandler(listener)
