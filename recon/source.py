"""Through what a cycle looks at the lake: what is kept, a report, or a listing, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from recon.aws_reports import Choice, ReportPlace, chosen
from recon.kept_look import asked_for, instead_of_listing
from recon.memory import Hints
from recon.model import Notice
from recon.plan import KeptLook, Options
from recon.ports import ReportFiles, StateStore


@dataclass(frozen=True, slots=True)
class Source:
    """The observation of one cycle, with neither for a listing; ``options`` are those it leaves in force."""

    options: Options
    kept: KeptLook | None
    choice: Choice
    notices: tuple[Notice, ...]


def source_of(
    state: StateStore,
    options: Options,
    place: ReportPlace | None,
    files: Callable[[], ReportFiles],
    now: datetime,
) -> Source:
    """Return what a cycle judges by.

    It is what the cycle was asked to reuse, else a report where reports are wanted, else what stands in for a
    listing that is not due or costs too much, else a listing.

    Raises:
        TooManyRequestsError: A listing costs more than it may, and nothing is kept.
    """
    asked = asked_for(state, options, now)
    if asked.kept is not None:
        return Source(replace(options, sample_rate=None), asked.kept, Choice(), asked.notices)
    choice = Choice() if place is None else chosen(files(), state, place, now)
    notices = (*asked.notices, *choice.notices)
    if choice.report is not None:
        return Source(replace(options, sample_rate=None), None, choice, notices)
    instead = instead_of_listing(state, options, Hints.load(state, options.lake), now)
    if instead.kept is not None or (place is not None and not place.sample_instead):
        options = replace(options, sample_rate=None)
    return Source(options, instead.kept, choice, (*notices, *instead.notices))
