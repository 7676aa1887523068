"""What scrapers' claims came to: attempts of keys, absences, how scrapers stand, how long gaps lasted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

from recon.core.breaker import BreakerRule

if TYPE_CHECKING:  # it brings Polars, which whoever only reads the books does without
    from recon.core.inventory import Waiver

#: Times that a scraper must say so, and nothing be there, before a key counts as absent from its source.
CONFIRMATIONS = 2
#: How long such an absence is believed before the source is asked again.
BELIEVED = timedelta(days=30)
#: Durations from a gap's first sighting to its end that are kept, the latest.
_FILLS_KEPT = 1000
#: Who pauses a scraper that fails in a row; what it paused is probed.
BREAKER = "breaker"
#: Who is told in a ledger's entry that scrapers made.
SCRAPERS = "scrapers"


@dataclass(frozen=True, slots=True)
class ClaimRules:
    """When a key is given up, and when a scraper is paused: by a rule of its own, where it has one."""

    max_attempts: int = 5
    refuted_in_row: int = 5
    probe_after: timedelta = timedelta(hours=1)
    breakers: Mapping[str, BreakerRule] = field(default_factory=dict)

    def breaker_of(self, scraper: str) -> BreakerRule:
        """Return the rule for one scraper."""
        return self.breakers.get(scraper) or BreakerRule(self.refuted_in_row, self.probe_after)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """Claims of one key that were refuted: how many, when last, by whom, and the last word on it."""

    attempts: int
    last_at: datetime
    scraper: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Absence:
    """A key that its source is said not to have. A person's entry stands at once, a scraper's when confirmed.

    ``until`` is inclusive; None stands until somebody expires it.
    """

    key: str
    reason: str
    by: str
    first_at: datetime
    last_at: datetime
    confirmations: int = 1
    until: date | None = None

    @property
    def is_confirmed(self) -> bool:
        """Return whether it counts."""
        return self.by != SCRAPERS or self.confirmations >= CONFIRMATIONS

    def stands(self, now: datetime) -> bool:
        """Return whether the key is known to be absent at ``now``."""
        return self.is_confirmed and (self.until is None or now.date() <= self.until)


@dataclass(frozen=True, slots=True)
class ScraperRecord:
    """How a scraper stands. ``streak`` are the keys whose attempts its present row of failures cost.

    ``by`` is who paused it: ``breaker``, or a person.
    """

    filled: int = 0
    false_claims: int = 0
    failed: int = 0
    in_row: int = 0
    streak: tuple[str, ...] = ()
    paused_at: datetime | None = None
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class FillTime:
    """Seconds from a gap's first sighting to the look that closed it, over the tasks closed last."""

    tasks: int
    median_s: float
    p95_s: float


@dataclass(slots=True)
class Claims:
    """The books. Every method that notes something may be repeated; a repeated failure counts once more."""

    keys: dict[str, KeyRecord] = field(default_factory=dict)
    absences: dict[str, Absence] = field(default_factory=dict)
    scrapers: dict[str, ScraperRecord] = field(default_factory=dict)
    filled: dict[str, datetime] = field(default_factory=dict)
    fill_seconds: list[float] = field(default_factory=list)

    def note_filled(self, scraper: str, names: Sequence[str], since: datetime | None, now: datetime) -> None:
        """Note that what a scraper was asked for is there; its pause ends, its keys begin anew."""
        for name in names:
            self.keys.pop(name, None)
            absence = self.absences.get(name)
            if absence is not None and absence.by == SCRAPERS:
                del self.absences[name]
            self.filled[name] = now
        if since is not None:
            seconds = (now - since).total_seconds()
            self.fill_seconds = [*self.fill_seconds, seconds][-_FILLS_KEPT:]
        record = self._of(scraper)
        self.scrapers[scraper] = replace(record, filled=record.filled + len(names), in_row=0, streak=())
        if record.by == BREAKER:
            self.resume(scraper)

    def note_refuted(self, scraper: str, names: Sequence[str], now: datetime, rules: ClaimRules) -> bool:
        """Note a claim that was not borne out: one attempt more for each key; return whether it pauses."""
        for name in names:
            known = self.keys.get(name)
            attempts = 1 if known is None else known.attempts + 1
            self.keys[name] = KeyRecord(attempts, now, scraper, "said to be done, and not there")
        record = self._of(scraper)
        self.scrapers[scraper] = replace(record, false_claims=record.false_claims + 1)
        return self._stumbled(scraper, names, "claims that were not borne out", now, rules)

    def note_failed(self, scraper: str, error: str, now: datetime, rules: ClaimRules) -> bool:
        """Note that a scraper failed at a task; return whether it is paused by that."""
        record = self._of(scraper)
        self.scrapers[scraper] = replace(record, failed=record.failed + 1)
        return self._stumbled(scraper, (), f"failures, the last one: {error}", now, rules)

    def note_absent(self, names: Sequence[str], evidence: str, now: datetime) -> None:
        """Note that a scraper found its source to have no such data, and the lake has none either."""
        for name in names:
            known = self.absences.get(name)
            if known is None:
                self.absences[name] = Absence(name, evidence, SCRAPERS, now, now)
            elif known.by == SCRAPERS:
                until = now.date() + BELIEVED if known.confirmations + 1 >= CONFIRMATIONS else None
                self.absences[name] = replace(
                    known,
                    confirmations=known.confirmations + 1,
                    last_at=now,
                    reason=evidence or known.reason,
                    until=until,
                )

    def note_dead(
        self, scraper: str, names: Sequence[str], why: str, now: datetime, rules: ClaimRules
    ) -> None:
        """Note that a task was given up: its keys are quarantined."""
        for name in names:
            known = self.keys.get(name)
            if known is None or known.attempts < rules.max_attempts:
                self.keys[name] = KeyRecord(rules.max_attempts, now, scraper, why)

    def quarantined(self, rules: ClaimRules) -> set[str]:
        """Return the keys that are not asked for any longer."""
        return {name for name in self.keys if self.is_quarantined(name, rules)}

    def is_quarantined(self, name: str, rules: ClaimRules) -> bool:
        """Tell whether a key is not asked for any longer."""
        record = self.keys.get(name)
        return record is not None and record.attempts >= rules.max_attempts

    def free(self, names: Iterable[str]) -> list[str]:
        """Forget the attempts of keys; return those that had any."""
        return [name for name in names if self.keys.pop(name, None) is not None]

    def declare_absent(self, key: str, reason: str, by: str, until: date | None, now: datetime) -> None:
        """Note a person's word that a key is not to be had."""
        self.absences[key] = Absence(key, reason, by, now, now, until=until)

    def expire_absence(self, key: str) -> bool:
        """Forget an absence; return whether there was one."""
        return self.absences.pop(key, None) is not None

    def waivers(self, now: datetime) -> list[Waiver]:
        """Return the absences that stand, as waivers."""
        from recon.core.inventory import Waiver  # noqa: PLC0415 - as above

        return [
            Waiver("absences", absence.reason, key=absence.key, until=absence.until, by=absence.by)
            for absence in self.absences.values()
            if absence.stands(now)
        ]

    def known_absent(self, now: datetime) -> set[str]:
        """Return the keys whose absence stands."""
        return {key for key in self.absences if self.is_absent(key, now)}

    def is_absent(self, key: str, now: datetime) -> bool:
        """Tell whether a key's absence stands."""
        absence = self.absences.get(key)
        return absence is not None and absence.stands(now)

    def pause(self, scraper: str, by: str, reason: str, now: datetime) -> None:
        """Stop giving tasks to a scraper."""
        self.scrapers[scraper] = replace(self._of(scraper), paused_at=now, reason=reason, by=by)

    def resume(self, scraper: str) -> bool:
        """Give a scraper tasks again; return whether it was paused."""
        record = self._of(scraper)
        if record.paused_at is None:
            return False
        self.scrapers[scraper] = replace(record, paused_at=None, reason="", by="", in_row=0, streak=())
        return True

    def paused(self) -> set[str]:
        """Return the scrapers that are paused, those that may be probed included."""
        return {name for name, record in self.scrapers.items() if record.paused_at is not None}

    def to_probe(self, now: datetime, rules: ClaimRules) -> set[str]:
        """Return the scrapers that the breaker paused long enough ago to be given one task."""
        return {
            name
            for name, record in self.scrapers.items()
            if record.by == BREAKER
            and record.paused_at is not None
            and now - record.paused_at >= rules.breaker_of(name).probe_after
        }

    def time_to_fill(self) -> FillTime | None:
        """Return how long the gaps that closed last had been open; None before any has."""
        if not self.fill_seconds:
            return None
        ordered = sorted(self.fill_seconds)
        return FillTime(len(ordered), median(ordered), ordered[math.ceil(0.95 * len(ordered)) - 1])

    def filled_since(self, as_of: datetime) -> set[str]:
        """Return the keys that were seen to be there after an observation."""
        return {name for name, at in self.filled.items() if at >= as_of}

    def forget_filled(self, as_of: datetime) -> None:
        """Forget what a complete look from ``as_of`` on has seen for itself."""
        self.filled = {name: at for name, at in self.filled.items() if at >= as_of}

    def _of(self, scraper: str) -> ScraperRecord:
        return self.scrapers.get(scraper, ScraperRecord())

    def _stumbled(
        self, scraper: str, names: Sequence[str], what: str, now: datetime, rules: ClaimRules
    ) -> bool:
        record = self.scrapers[scraper]
        record = replace(record, in_row=record.in_row + 1, streak=(*record.streak, *names))
        self.scrapers[scraper] = record
        if record.paused_at is not None:
            if record.by == BREAKER:  # the probe failed: wait as long again
                self.scrapers[scraper] = replace(record, paused_at=now, streak=())
                self._refund(names)
            return False
        if record.in_row < rules.breaker_of(scraper).refuted_in_row:
            return False
        self._refund(record.streak)
        self.scrapers[scraper] = replace(record, streak=())
        self.pause(scraper, BREAKER, f"{record.in_row} {what}", now)
        return True

    def _refund(self, names: Iterable[str]) -> None:
        """Take back an attempt of each key: its scraper was at fault, not the key."""
        for name in names:
            known = self.keys.get(name)
            if known is None:
                continue
            if known.attempts <= 1:
                del self.keys[name]
            else:
                self.keys[name] = replace(known, attempts=known.attempts - 1)
