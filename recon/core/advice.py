"""What a person should know about an inventory that works, but perhaps not as meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher

import numpy as np

from recon.core.axis import Axis, AxisKind
from recon.core.bound import BoundPattern, BoundType
from recon.core.dimensions import SeasonsDimension
from recon.core.enumeration import SEASON_FIELDS, Enumeration
from recon.core.findings import Findings
from recon.core.inventory import Dataset, Inventory
from recon.core.season_years import season_name, season_of
from recon.core.seasons import League, SeasonItem, SeasonNames, Seasons, SeasonWord, SeasonYears

#: Names at least this alike (0 to 1, by difflib) are taken for a misspelling.
_ALIKE = 0.8
#: The last season of a range that ends in ``current``.
_FAR_AHEAD = 9999
_YEARS = re.compile(r"\b((?:18|19|20)\d{2})\s*(?:-|–|—|to|\.\.)\s*((?:18|19|20)\d{2})\b")


def note_wildcards(
    dataset: Dataset, pattern: BoundPattern, enumeration: Enumeration, findings: Findings
) -> None:
    """Note wildcards that look like a dimension or a catalog's column, or that carry a format."""
    columns = {
        column: f"a column of catalog '{name}' (for_each: {name})"
        for name, catalog in enumeration.catalogs.items()
        for column in catalog.frame.columns
    }
    known = {**columns, **dict.fromkeys(enumeration.dimensions, "a dimension")}
    if dataset.seasons or dataset.type_seasons:
        known.update(dict.fromkeys(SEASON_FIELDS, "filled by the declared seasons"))
    for name in pattern.wildcards:
        near = _nearest(name, known)
        if near is not None:
            is_what = f"'{{{near}}}' is {known[near]}" if near != name else f"that is also {known[near]}"
            findings.notice(pattern.spec.where, f"{dataset.name}: '{{{name}}}' is a wildcard, but {is_what}")
        elif name in SEASON_FIELDS:
            findings.notice(
                pattern.spec.where,
                f"{dataset.name}: '{{{name}}}' is a wildcard: neither source nor type declares seasons",
            )
    for placeholder in pattern.template.placeholders:
        if placeholder.spec and placeholder.name in pattern.wildcards:
            findings.notice(
                pattern.spec.where,
                f"{dataset.name}: the format of '{{{placeholder.name}:{placeholder.spec}}}' has no effect: "
                f"it is a wildcard, since no dimension '{placeholder.name}' is declared",
            )


def note_ended_seasons(inventory: Inventory, enumeration: Enumeration, findings: Findings) -> None:
    """Note season lists that end before the current season; of several leagues, the ones that end last."""
    now = enumeration.now
    for dimension in inventory.dimensions:
        if isinstance(dimension, SeasonsDimension):
            current = season_of(now, dimension.starts)
            _note_ended(
                dimension.seasons, f"dimension '{dimension.name}'", dimension.where, current, findings
            )
    seen: set[tuple[str, Seasons]] = set()
    idle = _idle_sources(inventory.datasets, enumeration)
    for dataset in inventory.datasets:
        if dataset.source in idle:
            continue
        if dataset.seasons is not None and (dataset.source, dataset.seasons) not in seen:
            seen.add((dataset.source, dataset.seasons))
            current = season_of(now, enumeration.starts)
            _note_ended(dataset.seasons, dataset.source, dataset.where, current, findings)


def note_description(dataset: Dataset, patterns: Iterable[BoundPattern], findings: Findings) -> None:
    """Note a range of years in the description that the enumeration disagrees with."""
    ranges = {(int(first), int(last)) for first, last in _YEARS.findall(dataset.description)}
    axes = {axis.fields: axis for pattern in patterns for axis in pattern.axes if _has_seasons(axis)}
    if len(ranges) != 1 or not axes:
        return
    first, last = ranges.pop()
    bounds = [_bounds(axis) for axis in axes.values()]
    if any(first == low and last in highs for low, highs in bounds):
        return
    axis = next(iter(axes.values()))
    texts = axis.texts(axis.fields[0])
    line = (
        f"{first}-{last}"
        if axis.kind is AxisKind.INTEGER
        else f"{season_name(first)}..{season_name(last - 1)}"
    )
    findings.notice(
        dataset.where,
        f"{dataset.name}: its description says {first}-{last}, but '{axis.name}' enumerates {texts[0]} … "
        f"{texts[-1]}; if the description is right, write 'seasons: \"{line}\"' under it",
    )


def note_idle_except(dataset: Dataset, matched: Mapping[str, set[str]], findings: Findings) -> None:
    """Note values of ``except`` that leave nothing out; a name that nothing enumerates is an error."""
    for name, texts in dataset.except_values:
        if name not in matched:
            findings.error(
                dataset.where, f"{dataset.name}: except names '{name}', which no pattern enumerates"
            )
            continue
        idle = [text for text in texts if text not in matched[name]]
        if idle:
            findings.notice(
                dataset.where, f"{dataset.name}: except {name} [{', '.join(idle)}] leaves nothing out"
            )


def note_foreign_seasons(dataset: Dataset, enumeration: Enumeration, findings: Findings) -> None:
    """Note a data type's own seasons that its source (or the dimension) does not hold: they only narrow."""
    foreign = enumeration.foreign_seasons.get(dataset.name)
    if foreign:
        taken = (dataset.source, dataset.data_type) in enumeration.season_takers
        whose = f"those of '{dataset.source}'" if taken else "the dimension's values"
        findings.notice(
            dataset.where,
            f"{dataset.name}: its own seasons only narrow {whose}, which do not hold "
            f"{', '.join(foreign[:5])}{' …' if len(foreign) > 5 else ''}; add them there to expect them",
        )


def note_idle_seasons(types: Iterable[BoundType], enumeration: Enumeration, findings: Findings) -> None:
    """Note declared seasons that nothing takes: a column or dimension goes first, or no pattern asks."""
    told = _idle_sources([bound.dataset for bound in types], enumeration)
    for bound in types:
        dataset = bound.dataset
        if dataset.source in told:
            told.remove(dataset.source)
            known = enumeration.season_dimensions
            names = [f"{{{name}}}" for name in SEASON_FIELDS if (dataset.source, name) in known]
            findings.notice(
                dataset.where,
                f"the seasons of {dataset.source} have no effect: the dimension of the same name goes first, "
                f"and fills {' and '.join(names)}; remove one of the two",
            )
        idle = dataset.type_seasons is not None and dataset.name not in enumeration.narrowed_types
        if idle and bound.expectations:
            findings.notice(
                dataset.where,
                f"{dataset.name}: its seasons have no effect, since none of its patterns enumerates "
                "{season} or {year}",
            )


def _nearest(name: str, known: Iterable[str]) -> str | None:
    def alike(option: str) -> float:
        one, other = name.lower(), option.lower()
        if _one_slip_apart(one, other):
            return 1.0 if one == other else 0.99
        return SequenceMatcher(None, one, other).ratio()

    best = max(known, key=alike, default=None)
    if best is None or alike(best) < _ALIKE:
        return None
    numbered = name.rstrip("0123456789_").lower() == best.lower() and name[-1].isdigit()
    return None if numbered else best


def _idle_sources(datasets: Iterable[Dataset], enumeration: Enumeration) -> set[str]:
    """Return the sources that declare seasons where dimensions fill all that ask for them."""
    declared = {dataset.source for dataset in datasets if dataset.seasons is not None}
    filled = {source for source, _ in enumeration.season_dimensions}
    return declared & filled - {source for source, _ in enumeration.season_takers}


def _one_slip_apart(one: str, other: str) -> bool:
    """Tell whether two names of three letters or more differ by one letter, or by two that changed places."""
    if one == other:
        return True
    if min(len(one), len(other)) < 3 or abs(len(one) - len(other)) > 1:
        return False
    head = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(one))
    left, right = one[head:], other[head:]
    swapped = left[:2] == right[:2][::-1] and left[2:] == right[2:]
    return swapped or left[1:] == right[1:] or left[1:] == right or left == right[1:]


def _note_ended(seasons: Seasons, owner: str, where: str, current: int, findings: Findings) -> None:
    lasts = {league: _last(league) for league in seasons.leagues}
    known = [last for last in lasts.values() if last is not None]
    if not known or max(known) >= current:
        return
    for league, last in lasts.items():
        if last != max(known):
            continue
        dated = [item for item in league.items if not isinstance(item, SeasonWord)]
        years = isinstance(dated[-1], SeasonYears)
        first = min(_first_of(item) for item in dated)
        of = f" of {league.name}" if league.name else ""
        findings.notice(
            where,
            f"the seasons{of} of {owner} end at {_named(last, years=years)}, before the current season "
            f'({_named(current, years=years)}); use "{_named(first, years=years)}..current"',
        )


def _named(begin: int, *, years: bool) -> str:
    """Return the season that begins in ``begin`` as its list writes it: an integer is the year it ends in."""
    return str(begin + 1) if years else season_name(begin)


def _last(league: League) -> int | None:
    lasts = [last for item in league.items if (last := _last_of(item)) is not None]
    return max(lasts, default=None)


def _last_of(item: SeasonItem) -> int | None:
    """Return the year in which the last season of ``item`` begins; None for a word."""
    match item:
        case SeasonWord():
            return None
        case SeasonNames():
            return _FAR_AHEAD if item.last is None else item.last
        case SeasonYears():
            return _FAR_AHEAD if item.last is None else item.last - 1


def _first_of(item: SeasonNames | SeasonYears) -> int:
    return item.first - 1 if isinstance(item, SeasonYears) else item.first


def _has_seasons(axis: Axis) -> bool:
    return axis.kind in (AxisKind.SEASON, AxisKind.INTEGER) and axis.starts_at is not None and axis.size > 0


def _bounds(axis: Axis) -> tuple[int, tuple[int, ...]]:
    """Return the first year, and the last as either way of naming it, of an axis of seasons or years."""
    if axis.kind is AxisKind.INTEGER:
        values = axis.columns[axis.fields[0]].to_numpy()
        return int(values.min()), (int(values.max()),)
    texts = axis.texts(axis.fields[0])
    years = texts.str.extract(r"^(\d{4})-\d{2}$").cast(int).drop_nulls().to_numpy().astype(np.int64)
    return int(years.min()), (int(years.max()) + 1, int(years.max()))
