"""Find keys that two data types would both claim."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl

from recon.core.bound import BoundPattern, BoundType
from recon.core.findings import Findings
from recon.core.segment_language import MAX_TEXTS, Language, common_text
from recon.core.ties import tied, ties
from recon.errors import ConfigError


@dataclass(frozen=True, eq=False)
class _Claim:
    """One pattern of one data type, with the languages of its segments."""

    name: str
    place: int
    pattern: BoundPattern
    languages: tuple[Language, ...]

    @property
    def entangled(self) -> bool:
        """Tell whether an axis occurs in several segments, so that these depend on each other."""
        places = [place for language in self.languages for place in language.axes]
        return len(places) > len(set(places))


def note_overlaps(types: Sequence[BoundType], findings: Findings) -> None:
    """Note each pair of data types of which one key fits both; enumerated names have only their values.

    Segments are compared one by one: literals, value sets, wildcards. Where an axis occurs in several
    segments (a catalog's row, a date in parts), the rendered texts of all enumerated segments together
    decide. Within one data type the first pattern wins, and nothing is noted.
    """
    told: set[tuple[int, int]] = set()
    for left, right in _candidates(types):
        pair = (left.place, right.place)
        if pair in told:
            continue
        try:
            example = _common_key(*_tied(left, right))
        except ConfigError as error:
            for problem in error.problems:
                findings.error("", problem)
            continue
        if example is not None:
            told.add(pair)
            findings.error(
                right.pattern.spec.where,
                f"{right.name} ('{right.pattern.spec.text}') and {left.name} ('{left.pattern.spec.text}', "
                f"{left.pattern.spec.where or 'above'}) can both claim one key, such as '{example}'; "
                "make the patterns differ in a literal, or leave the values out of one of them",
            )


def _candidates(types: Sequence[BoundType]) -> Iterator[tuple[_Claim, _Claim]]:
    """Yield pairs of patterns of different types (in inventory order) whose literal prefixes agree."""
    claims = [
        _Claim(bound.dataset.name, place, pattern, _languages(pattern, frozenset()))
        for place, bound in enumerate(types)
        for expectation in bound.expectations
        for pattern in expectation.patterns
    ]
    claims.sort(key=lambda claim: claim.pattern.template.literal_prefix)
    for number, claim in enumerate(claims):
        prefix = claim.pattern.template.literal_prefix
        for other in claims[number + 1 :]:
            if not other.pattern.template.literal_prefix.startswith(prefix):
                break
            if other.place != claim.place and len(other.languages) == len(claim.languages):
                yield (claim, other) if claim.place < other.place else (other, claim)


def _languages(pattern: BoundPattern, slashes: frozenset[int]) -> tuple[Language, ...]:
    return tuple(Language(pattern, parts) for parts in tied(pattern.template.segments, slashes))


def _tied(left: _Claim, right: _Claim) -> tuple[_Claim, _Claim]:
    """Return both with those segments as one that a wildcard of either ties together."""
    slashes = ties(left.pattern) | ties(right.pattern)
    if not slashes:
        return left, right
    return (
        replace(left, languages=_languages(left.pattern, slashes)),
        replace(right, languages=_languages(right.pattern, slashes)),
    )


def _common_key(left: _Claim, right: _Claim) -> str | None:
    texts = []
    for one, other in sorted(
        zip(left.languages, right.languages, strict=True), key=lambda pair: pair[0].wild or pair[1].wild
    ):
        text = common_text(one, other)
        if text is None:
            return None
        texts.append((left.languages.index(one), text))
    key = [text for _, text in sorted(texts)]
    if not left.entangled and not right.entangled:
        return "/".join(key)
    places = [n for n, pair in enumerate(zip(left.languages, right.languages, strict=True)) if _finite(*pair)]
    found = _common_rendering(left, right, places)
    if found is None:
        return None
    pieces = found.split("/") if found else []
    for place in places if found else ():
        depth = 1 + left.languages[place].slashes
        key[place], pieces = "/".join(pieces[:depth]), pieces[depth:]
    return "/".join(key)


def _finite(one: Language, other: Language) -> bool:
    return not one.wild and not other.wild and (one.literal is None or other.literal is None)


def _common_rendering(left: _Claim, right: _Claim, places: Sequence[int]) -> str | None:
    """Return a joint text of the segments ``places`` that both render, '' if there are too many to tell."""
    if not places:
        return ""
    one, other = _rendered(left, right, places), _rendered(right, left, places)
    if one is None or other is None:
        return ""
    shared = one.filter(one.is_in(other.implode())).min()
    return None if shared is None else str(shared)


def _rendered(claim: _Claim, against: _Claim, places: Sequence[int]) -> pl.Series | None:
    """Return the joint texts of segments ``places``, only of values that each segment by itself shares.

    None if there are more than ``MAX_TEXTS``.
    """
    languages = [claim.languages[place] for place in places]
    joined, size = pl.DataFrame({"": [""]}).lazy(), 1
    for axis in dict.fromkeys(axis for language in languages for axis in language.axes):
        columns: dict[str, pl.Series] = {}
        shared: list[pl.Expr] = []
        for place, language in zip(places, languages, strict=True):
            if axis in language.axes:
                columns.update({column.name: column for column in language.columns(axis)})
            if language.axes == (axis,):
                shared.append(language.expression().is_in(against.languages[place].texts().implode()))
        frame = pl.DataFrame(list(columns.values())).filter(*shared).unique()
        size *= frame.height
        joined = joined.join(frame.lazy(), how="cross")
    if size > MAX_TEXTS:
        return None
    expressions = [language.expression() for language in languages]
    return joined.select(pl.concat_str(expressions, separator="/")).collect().to_series()
