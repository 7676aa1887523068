"""Read a segment that mixes axes or wildcards by a regex: which texts fit, and what each value is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from recon.core.pattern import Placeholder
from recon.core.text_table import Codes, TextTable
from recon.errors import ConfigError

Mask = NDArray[np.bool_]

#: A regex alternation over at most this many characters of values is exact and cheap.
_MAX_ALTERNATION = 100_000


class SegmentRegex:
    """Cuts texts into a group a placeholder; one that occurs twice has one value.

    The regex takes the longest texts first, and any text of the right width for a value. Where that can be
    the wrong place to cut (two parts of no fixed width), texts that then do not fit are cut again, strictly.
    """

    def __init__(
        self, parts: Sequence[str | Placeholder], tables: Mapping[int, TextTable], where: str
    ) -> None:
        """Take a segment's parts and the values of those (by place) that are enumerated."""
        self._tables = {f"g{place}": table for place, table in tables.items()}
        #: Groups that must say the same.
        self._twins: list[tuple[str, str]] = []
        first: dict[str | Placeholder, str] = {}
        quick, strict = [], []
        for place, part in enumerate(parts):
            if isinstance(part, str):
                quick.append(re.escape(part))
                strict.append(re.escape(part))
                continue
            group, name = f"g{place}", part if place in tables else part.name
            follows = parts[place + 1] if place + 1 < len(parts) else None
            any_text = _values(tables[place].texts, follows, part, where) if place in tables else "[^/]+"
            one_text = _spelled(tables[place].texts) if place in tables else None
            if name in first:
                self._twins.append((first[name], group))
                one_text = f"(?P={first[name]})"
            first.setdefault(name, group)
            quick.append(f"(?P<{group}>{any_text})")
            strict.append(f"(?P<{group}>{one_text or any_text})")
        fixed = [table for table in tables.values() if table.texts.str.len_chars().n_unique() == 1]
        vague = sum(isinstance(part, Placeholder) for part in parts) - len(fixed)
        self._quick = f"(?s)^{''.join(quick)}$"
        self._strict = f"(?s)^{''.join(strict)}$" if vague > 1 and strict != quick else None

    def find(self, texts: pl.Series) -> tuple[Mask, list[Codes]]:
        """Return which texts fit (bool), and the codes of each enumerated part (-1 where unfit)."""
        groups = texts.str.extract_groups(self._quick).struct.unnest()
        fits, found = self._said(groups)
        rows = np.flatnonzero(groups[:, 0].is_not_null().to_numpy() & ~fits)
        if self._strict is not None and len(rows):
            fits[rows], again = self._said(self._strictly(self._strict, texts.gather(rows)))
            found = [codes.copy() for codes in found]
            for codes, better in zip(found, again, strict=True):
                codes[rows] = better
        return fits, found

    def _said(self, groups: pl.DataFrame) -> tuple[Mask, list[Codes]]:
        fits = groups[:, 0].is_not_null().to_numpy().copy()
        for one, other in self._twins:
            fits &= (groups[one] == groups[other]).fill_null(value=False).to_numpy()
        found = [table.find(groups[name]) for name, table in self._tables.items()]
        for codes in found:
            fits &= codes >= 0
        return fits, found

    def _strictly(self, regex: str, texts: pl.Series) -> pl.DataFrame:
        """Return the groups of ``texts``; only Python's regexes can say that two are the same."""
        if not self._twins:
            return texts.str.extract_groups(regex).struct.unnest()
        pattern = re.compile(regex)
        unfit = dict.fromkeys(pattern.groupindex)
        found = (pattern.fullmatch(text) for text in texts.to_list())
        return pl.DataFrame(
            [match.groupdict() if match else unfit for match in found],
            schema=dict.fromkeys(pattern.groupindex, pl.String),
        )


def _spelled(values: pl.Series) -> str | None:
    """Return an alternation of ``values``, the longest first; None where it would be too long."""
    if int(values.str.len_chars().sum()) > _MAX_ALTERNATION:
        return None
    return "|".join(re.escape(value) for value in sorted(values.to_list(), key=len, reverse=True))


def _values(values: pl.Series, follows: str | Placeholder | None, part: Placeholder, where: str) -> str:
    """Return a regex for ``values`` that cannot end in the wrong place, whatever follows."""
    widths = values.str.len_chars()
    if widths.n_unique() == 1:
        return f".{{{int(widths[0])}}}"
    spelled = _spelled(values)
    if spelled is not None:
        return spelled
    if follows is None or (
        isinstance(follows, str) and not values.str.contains(follows[0], literal=True).any()
    ):
        stop = "" if follows is None else re.escape(follows[0])
        return f"[^{stop}]+" if stop else ".+"
    raise ConfigError(
        f"{where}: cannot tell where {{{part.name}}} ends: its values differ in length and hold "
        "the text that follows it. Put a character between them that no value holds, such as '/'.",
    )
