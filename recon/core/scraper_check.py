"""Whether scrapers' commands fit the data types that they serve: what ``recon validate`` refuses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from recon.core.axis import AxisKind
from recon.core.command_template import DAYS_BACK, FIELDS, FILES, LISTS, Hole, holes
from recon.core.domain import Domain
from recon.core.invalid import did_you_mean
from recon.core.scraper import Per, Scraper, SpiderFeed
from recon.model import Kind, Notice

#: A task's own fields are no guess for names that are less alike than this (``season`` is no ``reason``).
_ALIKE = 0.85
#: Axes whose values may be days: steps of time, and the columns of catalogs.
_WITH_DAYS = (AxisKind.TIME, AxisKind.ROWS)


@dataclass(frozen=True, slots=True)
class ServedType:
    """What the tasks of one domain carry: the fields of their items (none where counted), their partition.

    ``has_days`` tells that some of it may be a day or an instant.
    """

    name: str
    source: str
    data_type: str
    scraper: str
    batch_size: int
    has_keys: bool
    partition: tuple[str, ...]
    fields: tuple[str, ...]
    has_days: bool


def served_type(domain: Domain) -> ServedType:
    """Return what a domain's tasks carry."""
    is_exact = domain.kind is Kind.EXACT
    patterns = domain.expectation.patterns
    common = [name for name in patterns[0].enumerated if all(name in one.enumerated for one in patterns)]
    return ServedType(
        name=domain.name,
        source=domain.dataset.source,
        data_type=domain.dataset.data_type,
        scraper=domain.dataset.scraper,
        batch_size=domain.dataset.batch_size,
        has_keys=is_exact,
        partition=domain.expectation.partition,
        fields=tuple(common) if is_exact else (),
        has_days=any(axis.kind in _WITH_DAYS for pattern in patterns for axis in pattern.axes),
    )


def scraper_problems(scrapers: Mapping[str, Scraper], types: Sequence[ServedType]) -> list[str]:
    """Return every problem of every command with every type that it serves, one line each."""
    lines: dict[str, None] = {}
    for scraper in scrapers.values():
        for served in types:
            if served.scraper == scraper.name:
                lines.update(dict.fromkeys(_problems(scraper, served)))
    return list(lines)


def scraper_notices(scrapers: Mapping[str, Scraper], names: Iterable[str]) -> list[Notice]:
    """Return a notice for each configured scraper that none of the inventory's scraper ``names`` means."""
    known = set(names)
    return [
        Notice(f"scraper '{name}' serves no data type{did_you_mean(name, sorted(known))}", scraper.where)
        for name, scraper in scrapers.items()
        if name not in known
    ]


def _problems(scraper: Scraper, served: ServedType) -> Iterator[str]:
    if scraper.feed is not None:
        yield from _feed_problems(scraper, scraper.feed, served)
        return
    for place, argument in zip(scraper.places, scraper.command, strict=True):
        for hole in argument:
            problem = _problem(hole, scraper, served) if isinstance(hole, Hole) else ""
            if problem:
                yield f"{place}: {served.name}: {problem}"


def _feed_problems(scraper: Scraper, feed: SpiderFeed, served: ServedType) -> Iterator[str]:
    if not served.has_keys:
        yield f"{feed.place}: {served.name}: a spider is asked for keys, and a counted type's tasks name none"
        return
    for hole in holes([feed.url]):
        problem = _problem(hole, replace(scraper, per=Per.ITEM), served)
        if problem:
            yield f"{feed.place}: {served.name}: {problem}"


def _problem(hole: Hole, scraper: Scraper, served: ServedType) -> str:
    """Return why a placeholder cannot be filled for a type; '' where it can."""
    if hole.family == "map":
        named = scraper.mapped(hole.member, served.source, served.data_type)
        return "" if named else f"map.{hole.member} does not name the data type '{served.data_type}'"
    if not hole.family and hole.name in {*FIELDS, *FILES, *LISTS, DAYS_BACK}:
        return _without_value(hole, scraper, served)
    if hole.member not in {*served.fields, *served.partition}:
        return _unknown(hole, served)
    if hole.family or scraper.per is Per.ITEM or hole.name in served.partition or _is_alone(scraper, served):
        return ""
    return f"{hole} has several values in one run; write {{items.{hole.name}:join(,)}}, or per: item"


def _without_value(hole: Hole, scraper: Scraper, served: ServedType) -> str:
    """Return why what every task has in principle has no value for any task of a type; '' where it may."""
    if hole.name in {"keys", "keys_file"} and not served.has_keys:
        return f"{hole} has no value: its tasks name no keys, since it is counted"
    if hole.name == DAYS_BACK and scraper.days_back_max is None and not served.has_days:
        return f"{hole} has no value: its tasks name no day; set limits.days_back"
    return ""


def _is_alone(scraper: Scraper, served: ServedType) -> bool:
    return scraper.per is Per.TASK and served.batch_size == 1


def _unknown(hole: Hole, served: ServedType) -> str:
    own = sorted({*served.fields, *served.partition})
    general = [] if hole.family else [*FIELDS, *FILES, DAYS_BACK]
    hint = did_you_mean(hole.member, own)
    near = get_close_matches(hole.member, general, n=1, cutoff=_ALIKE)
    if near or hint.startswith("; did"):
        return f"unknown placeholder {hole}" + (hint if not near else f"; did you mean '{near[0]}'?")
    why = "" if served.has_keys else ", since it is counted"
    has = f"its tasks have only {', '.join(own)}" if own else "its tasks have no values of their own"
    return f"unknown placeholder {hole}: {has}{why}"
