"""Who is told of what, and when: the conditions of now beside what was told already.

A condition that is new is told once, and again after a day; its end is told when it has stayed away for a
while, the longer the more often it came back. A look that could not see something ends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from recon.core.alert_message import Kind, Message
from recon.core.conditions import Condition, ConditionName, Severity
from recon.core.engine_standing import BRAKE, CLAIMS, PAUSE, QUEUES, REPORT, RUNS, Standing
from recon.core.outbox import Audience, Outbox, filled
from recon.core.outbox import told as outbox_told

#: A condition that stays is told again this often.
REMIND_AFTER = timedelta(hours=24)
#: A condition has ended when it has stayed away for so long; twice as long for each time it had come back.
SETTLES_AFTER = timedelta(minutes=5)
_SETTLES_TWICE_MAX = 5
#: For so long it is remembered when a condition began.
_REMEMBERED = timedelta(hours=6)
#: What one look may see wrongly must be seen for so long before it is told.
_PATIENCE = {
    ConditionName.BROKER_UNREACHABLE: timedelta(seconds=20),
    ConditionName.STATE_UNREACHABLE: timedelta(seconds=20),
}
#: Names that are told anew where a subject joins: each is somebody's to mend.
_BY_SUBJECT = frozenset((ConditionName.SCRAPER_PAUSED, ConditionName.BRAKE_HELD))
#: Which names cannot be judged where a source is silent.
_NEEDS: Mapping[str, tuple[ConditionName, ...]] = {
    REPORT: (
        *(ConditionName.CYCLE_LATE, ConditionName.CRITICAL_GAPS, ConditionName.REPORT_TOO_OLD),
        *(ConditionName.LAKE_UNREACHABLE, ConditionName.CYCLE_FAILED),
    ),
    RUNS: (ConditionName.CYCLE_FAILED, ConditionName.LAKE_UNREACHABLE),
    CLAIMS: (ConditionName.SCRAPER_PAUSED, ConditionName.QUARANTINED_KEYS),
    BRAKE: (ConditionName.BRAKE_HELD,),
    QUEUES: (ConditionName.DEAD_LETTERS,),
    PAUSE: (ConditionName.CYCLE_LATE,),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of one condition: as it was last told, and when it began and was gone.

    ``began`` holds the latest beginnings, the last one last. ``told_at`` is None until it is told,
    ``gone_at`` while it stays; one that has ended is remembered ``is_over``.
    """

    name: ConditionName
    severity: Severity
    words: str
    next: str
    since: datetime
    subjects: tuple[str, ...]
    began: tuple[datetime, ...]
    told_at: datetime | None = None
    gone_at: datetime | None = None
    is_over: bool = False

    @property
    def settles_after(self) -> timedelta:
        """Return for how long it must stay away to have ended."""
        return SETTLES_AFTER * (1 << min(len(self.began) - 1, _SETTLES_TWICE_MAX))


@dataclass(frozen=True, slots=True)
class AlertBook:
    """Every condition that stands or stood lately, and every channel's outbox by its id."""

    entries: Mapping[ConditionName, Entry] = field(default_factory=dict)
    outboxes: Mapping[str, Outbox] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertRules:
    """Whom to tell, what of, and whether what is not critical waits for a digest (None: it does not)."""

    audiences: tuple[Audience, ...]
    silenced: frozenset[ConditionName] = frozenset()
    digest: timedelta | None = None


def unseen(standing: Standing) -> frozenset[ConditionName]:
    """Return the names that this look could not judge: that they are not found does not end them."""
    return frozenset(name for source in standing.unknown for name in _NEEDS.get(source, ()))


def noted(
    book: AlertBook,
    found: Sequence[Condition],
    blind: frozenset[ConditionName],
    rules: AlertRules,
    now: datetime,
) -> AlertBook:
    """Return the book after one look that ``found`` conditions: what is to be told waits in the outboxes."""
    entries: dict[ConditionName, Entry] = {}
    messages: list[Message] = []
    here = {one.name: one for one in found if one.name not in rules.silenced}
    for name in dict.fromkeys((*here, *book.entries)):
        before = book.entries.get(name)
        after, kind = _now(before, here.get(name), name in blind, now)
        if after is not None:
            entries[name] = after
            messages += [] if kind is None else [_message(kind, after, now)]
    # A channel that is new itself hears of all that stands.
    standing = [_message(Kind.BEGUN, one, now) for one in entries.values() if one.told_at and not one.is_over]
    outboxes: dict[str, Outbox] = {}
    for one in rules.audiences:
        outbox = book.outboxes.get(one.id)
        new = [message for message in (standing if outbox is None else messages) if one.wants(message.name)]
        outboxes[one.id] = filled(outbox or Outbox(), new, rules.digest, now)
    return AlertBook(entries, outboxes)


def due(book: AlertBook, now: datetime) -> dict[str, tuple[Message, ...]]:
    """Return what each channel is to be told now; one that failed is left alone until its time comes."""
    return {
        channel: outbox.pending
        for channel, outbox in book.outboxes.items()
        if outbox.pending and (outbox.retry_at is None or outbox.retry_at <= now)
    }


def told(
    book: AlertBook, outcomes: Mapping[str, tuple[tuple[Message, ...], str]], now: datetime
) -> AlertBook:
    """Return the book after sending: channel -> the messages, and what went wrong ("" if nothing did)."""
    outboxes = dict(book.outboxes)
    for channel, (messages, problem) in outcomes.items():
        if channel in outboxes:
            outboxes[channel] = outbox_told(outboxes[channel], messages, problem, now)
    return replace(book, outboxes=outboxes)


def _now(
    before: Entry | None, found: Condition | None, is_blind: bool, now: datetime
) -> tuple[Entry | None, Kind | None]:
    """Return what is remembered of one name after a look, and what to tell of it, if anything."""
    if found is not None:
        return _present(before, found, now)
    if before is None or is_blind:
        return before, None
    return _absent(before, now)


def _present(before: Entry | None, found: Condition, now: datetime) -> tuple[Entry, Kind | None]:
    """Return what is remembered of a condition that is found, and what to tell of it, if anything."""
    if before is None or before.is_over:
        began = () if before is None else before.began
        recent = tuple(at for at in began if now - at < _REMEMBERED)
        since = found.since or now
        before = Entry(
            found.name, found.severity, found.words, found.next, since, found.subjects, (*recent, now)
        )
    kind = _to_tell(before, found, now)
    if kind is None:
        return replace(before, gone_at=None), None
    told = replace(
        before,
        severity=found.severity,
        words=found.words,
        next=found.next,
        subjects=found.subjects,
        told_at=now,
        gone_at=None,
    )
    return told, kind


def _to_tell(entry: Entry, found: Condition, now: datetime) -> Kind | None:
    if entry.told_at is None:
        is_sure = now - entry.began[-1] >= _PATIENCE.get(entry.name, timedelta())
        return Kind.BEGUN if is_sure else None
    joined = entry.name in _BY_SUBJECT and set(found.subjects) - set(entry.subjects)
    if joined or (found.severity is Severity.CRITICAL and entry.severity is not Severity.CRITICAL):
        return Kind.WORSE
    return Kind.REMINDER if now - entry.told_at >= REMIND_AFTER else None


def _absent(entry: Entry, now: datetime) -> tuple[Entry | None, Kind | None]:
    """Return what is remembered of a condition that is not found any more, and what to tell, if anything."""
    if entry.is_over:
        return (entry if now - entry.began[-1] < _REMEMBERED else None), None
    if entry.told_at is None:
        return None, None  # it was never sure
    if entry.gone_at is None:
        return replace(entry, gone_at=now), None
    if now - entry.gone_at < entry.settles_after:
        return entry, None
    return replace(entry, is_over=True), Kind.ENDED


def _message(kind: Kind, entry: Entry, now: datetime) -> Message:
    return Message(kind, entry.name, entry.severity, entry.words, entry.next, entry.since, now)
