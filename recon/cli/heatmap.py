"""The coverage heatmap: data types down, partitions across, one glyph a cell, so that colour is never needed.

Everything here is layout: rows of a cycle's report in, lines of (text, colour) out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

#: A piece of a line and its colour ('' for none).
Piece = tuple[str, str]
Line = list[Piece]


#: Cells that names get at least.
_NAME_CELLS = 22
#: Cells at the right for what a line comes to as a whole.
_TOTAL_CELLS = 8


class Level(Enum):
    """How complete a cell is: its glyph, the same where only ASCII can be shown, its colour, its meaning."""

    FULL = ("█", "#", "green", "full")
    HIGH = ("▓", "=", "yellow", "95% and more")
    HALF = ("▒", "-", "yellow", "50% and more")
    LOW = ("░", ",", "red", "less")
    NONE = ("×", "x", "bold red", "none")
    UNKNOWN = ("?", "?", "magenta", "unknown")
    NOT_DUE = ("·", ".", "dim", "not due")
    UNQUANTIFIED = ("~", "~", "blue", "there, unquantified")

    @property
    def color(self) -> str:
        """Return the colour."""
        return self.value[2]

    def glyph(self, *, ascii_only: bool) -> str:
        """Return the one character that stands for this level."""
        return self.value[1 if ascii_only else 0]


@dataclass(frozen=True, slots=True)
class Cell:
    """What one partition, or several together, come to; ``got`` of ``wanted`` are there and good.

    Where no number is declared, each partition wants one object, and ``unquantified`` counts those that have
    some: they are never full.
    """

    got: int = 0
    wanted: int = 0
    unknown: int = 0
    unquantified: int = 0

    def __add__(self, other: Cell) -> Cell:
        return Cell(
            self.got + other.got,
            self.wanted + other.wanted,
            self.unknown + other.unknown,
            self.unquantified + other.unquantified,
        )

    @property
    def level(self) -> Level:
        """Return the level; it is full only when nothing at all is missing or unknown."""
        if self.got < self.wanted:
            return self._step(self.got / self.wanted)
        if self.unknown:
            return Level.UNKNOWN
        if self.unquantified:
            return Level.UNQUANTIFIED
        return Level.FULL if self.wanted else Level.NOT_DUE

    @property
    def percent(self) -> str:
        """Return the share in whole percent, rounded down (but not to 0); '' where there is none."""
        if not self.wanted or self.level in {Level.UNKNOWN, Level.UNQUANTIFIED}:
            return ""
        share = math.floor(100 * self.got / self.wanted)
        return "<1%" if self.got and not share else f"{share}%"

    def _step(self, share: float) -> Level:
        for bound, level in ((0.95, Level.HIGH), (0.5, Level.HALF)):
            if share >= bound:
                return level
        return Level.LOW if share else Level.NONE


def cell(row: dict[str, Any]) -> Cell:
    """Return the cell of one coverage row."""
    if row["kind"] == "any":
        there = int(row["have"] > 0)
        return Cell(there, max(there, min(1, row["missing"])), row["unknown"], there)
    if row["kind"] == "counted":
        if row["coverage"] is None:
            return Cell(unknown=max(1, row["unknown"]))
        if row["not_due"]:
            return Cell()
        return Cell(min(row["have"], row["expected"]), row["expected"], row["unknown"])
    judged = row["ok"] + row["stale"] + row["small"] + row["missing"]
    return Cell(row["ok"], judged, row["unknown"])


def heatmap(rows: Sequence[dict[str, Any]], width: int, *, ascii_only: bool = False) -> list[Line]:
    """Return the heatmap of a report's coverage rows in ``width`` cells, with its legend."""
    lines: list[Line] = []
    for (names, _), group in _by_axis(rows).items():
        lines += [*_Grid(names, group, width, ascii_only=ascii_only).lines(), []]
    return [*lines, *_legend(width, ascii_only=ascii_only)]


class _Grid:
    """The data types that are cut by the same names, one line each."""

    def __init__(
        self, names: tuple[str, ...], rows: Sequence[dict[str, Any]], width: int, *, ascii_only: bool
    ) -> None:
        self._names = names
        self._ascii_only = ascii_only
        self._cells: dict[tuple[str, str], dict[str, Cell]] = {}
        for row, name in zip(rows, _row_names(rows), strict=True):
            self._cells.setdefault((row["source"], name), {})[_label(row)] = cell(row)
        self._labels = sorted({label: None for own in self._cells.values() for label in own}, key=_natural)
        most = max(_NAME_CELLS, width // 3)
        #: Long names: each source gets a line of its own, and its data types stand below it.
        self._by_source = max(len(f"{source}.{name}") for source, name in self._cells) > most
        names_shown = [self._shown(*key) for key in self._cells]
        self._indent = min(max(len(name) for name in names_shown), most) + 2
        self._room = max(8, width - self._indent - _TOTAL_CELLS)

    def lines(self) -> list[Line]:
        widest = max(6, *(len(label) for label in self._labels)) + 1
        if widest * len(self._labels) <= self._room:
            return self._spelt_out(widest)
        step = -(-len(self._labels) // self._room)
        pitch = 2 if step == 1 and 2 * len(self._labels) <= self._room else 1
        return self._glyphs_only(step, pitch)

    def _spelt_out(self, widest: int) -> list[Line]:
        """One column a partition, with its name above and its share beside the glyph."""
        names = "".join(label.ljust(widest) for label in self._labels)
        lines: list[Line] = [[(self._title().ljust(self._indent), "bold"), (names.rstrip(), "bold")]]
        for key, own in self._cells.items():
            found = [own.get(label) for label in self._labels]
            lines += self._row(key, [self._piece(item, widest) for item in found])
        return lines

    def _glyphs_only(self, step: int, pitch: int) -> list[Line]:
        """One glyph for ``step`` partitions; only the first and the last are named."""
        starts = range(0, len(self._labels), step)
        lines = self._ruler((len(starts) - 1) * pitch + 1, step)
        for key, own in self._cells.items():
            pooled = [
                [own[label] for label in self._labels[start : start + step] if label in own]
                for start in starts
            ]
            cells = [sum(items, Cell()) if items else None for items in pooled]
            lines += self._row(key, [self._piece(item, pitch) for item in cells])
        return lines

    def _ruler(self, cells: int, step: int) -> list[Line]:
        first, last = self._labels[0], self._labels[-1]
        title = self._title() + (f", {step:,} to a cell" if step > 1 else "")
        if len(first) + len(last) >= cells:
            return [[(f"{title}: {first} … {last}", "bold")]]
        ruler = (first + last.rjust(cells - len(first)), "bold")
        if len(title) < self._indent:
            return [[(title.ljust(self._indent), "bold"), ruler]]
        return [[(title, "bold")], [(" " * self._indent, ""), ruler]]

    def _piece(self, found: Cell | None, width: int) -> Piece:
        if found is None:
            return (" " * width, "")
        share = f" {found.percent}" if width > 2 and found.percent else ""
        return (f"{found.level.glyph(ascii_only=self._ascii_only)}{share}".ljust(width), found.level.color)

    def _row(self, key: tuple[str, str], pieces: Line) -> list[Line]:
        """Return a data type's line, with its total; a source, and a name that is too long, get their own."""
        name = self._shown(*key)
        lines: list[Line] = []
        if self._by_source and key == next(other for other in self._cells if other[0] == key[0]):
            lines.append([(key[0], "bold")])
        if len(name) + 2 > self._indent:
            lines.append([(name, "")])
            name = ""
        whole = sum(self._cells[key].values(), Cell())
        total = [(" ", ""), self._piece(whole, _TOTAL_CELLS - 1)] if len(self._labels) > 1 else []
        return [*lines, [(name.ljust(self._indent), ""), *pieces, *total]]

    def _shown(self, source: str, name: str) -> str:
        return f"  {name}" if self._by_source else f"{source}.{name}"

    def _title(self) -> str:
        return f"by {', '.join(self._names)}" if self._names else "as a whole"


def _by_axis(rows: Iterable[dict[str, Any]]) -> dict[tuple[tuple[str, ...], str], list[dict[str, Any]]]:
    """Return the rows of data types that are cut by the same names, and at the same step of time."""
    groups: dict[tuple[tuple[str, ...], str], list[dict[str, Any]]] = {}
    steps: dict[tuple[Any, ...], str] = {}
    for row in rows:
        names = tuple(row["partition"])
        own = (row["source"], row["data_type"], row["kind"], names)
        step = steps.setdefault(own, _step_of(_label(row)))
        groups.setdefault((names, step), []).append(row)
    return groups


def _step_of(label: str) -> str:
    """Return the form of a time, such as 9999-99; '' for anything else."""
    return re.sub(r"\d", "9", label) if re.fullmatch(r"[\dT:Z-]+", label) else ""


def _row_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return each row's data type, with its kind where one type has rows of several kinds."""
    kinds: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        kinds.setdefault((row["source"], row["data_type"]), set()).add(row["kind"])
    return [
        f"{row['data_type']} ({row['kind']})"
        if len(kinds[row["source"], row["data_type"]]) > 1
        else str(row["data_type"])
        for row in rows
    ]


def _label(row: dict[str, Any]) -> str:
    return ",".join(row["partition"].values()) or "all"


def _natural(label: str) -> list[tuple[int, str]]:
    """Order 9 before 10, and texts as texts."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", label) if part]


def _legend(width: int, *, ascii_only: bool) -> list[Line]:
    lines: list[Line] = [[]]
    used = 0
    for level in Level:
        entry = f"{level.glyph(ascii_only=ascii_only)} {level.value[3]}"
        if used and used + len(entry) > width:
            lines.append([])
            used = 0
        lines[-1].append((entry, level.color))
        lines[-1].append(("   ", ""))
        used += len(entry) + 3
    return lines
