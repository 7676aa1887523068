"""The texts that one segment of a pattern can be: a finite set, or a shape with wildcards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product

import polars as pl

from recon.core.bound import BoundPattern
from recon.core.pattern import Placeholder
from recon.core.segment import Mask, Segment

#: Texts of one segment held at once; a segment of several axes beyond it is treated as a shape.
MAX_TEXTS = 1_000_000
_MAX_SHAPES = 64
#: The wildcard of a shape: one or more characters.
SOME = ""

Shape = tuple[str, ...]


@dataclass(eq=False)
class Language:
    """One segment of a bound pattern. ``axes`` are the places of the axes that occur in it."""

    pattern: BoundPattern
    parts: tuple[str | Placeholder, ...]
    axes: tuple[int, ...] = ()
    wild: bool = False
    _texts: pl.Series | None = field(default=None, repr=False)
    _segment: Segment | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        places = [self._place(part) for part in self.parts if isinstance(part, Placeholder)]
        self.wild = None in places
        self.axes = tuple(dict.fromkeys(place for place in places if place is not None))
        size = reduce(lambda count, place: count * self.pattern.axes[place].size, self.axes, 1)
        self.wild = self.wild or (len(self.axes) > 1 and size > MAX_TEXTS)

    @property
    def literal(self) -> str | None:
        """Return the segment's text if it holds no placeholder."""
        return (
            None if self.axes or self.wild else "".join(part for part in self.parts if isinstance(part, str))
        )

    @property
    def slashes(self) -> int:
        """Return how many '/' it holds: segments tied together are one."""
        return sum(part.count("/") for part in self.parts if isinstance(part, str))

    def texts(self) -> pl.Series:
        """Return every text (distinct, in no order) of a segment without wildcards."""
        if self._texts is None:
            columns = pl.DataFrame({"": [""]}).lazy()
            for place in self.axes:
                columns = columns.join(self.columns(place).lazy().unique(), how="cross")
            self._texts = columns.select(self.expression()).collect().to_series().unique()
        return self._texts

    def columns(self, place: int) -> pl.DataFrame:
        """Return one column per placeholder of the axis at ``place``, named as ``expression`` reads them."""
        axis = self.pattern.axes[place]
        own = dict.fromkeys(p for p in self.parts if isinstance(p, Placeholder) and self._place(p) == place)
        return pl.DataFrame([axis.texts(p.name, p.spec).alias(f"{p.name}:{p.spec}") for p in own])

    def expression(self) -> pl.Expr:
        """Return the segment's text as an expression over the columns of its axes."""
        return pl.concat_str(
            [pl.lit(p) if isinstance(p, str) else pl.col(f"{p.name}:{p.spec}") for p in self.parts]
            or [pl.lit("")],
        ).alias("text")

    def fits(self, texts: pl.Series) -> Mask:
        """Tell which texts the segment can be, exactly as keys are read.

        Raises ``ConfigError`` where the segment cannot be read.
        """
        if self._segment is None:
            self._segment = Segment(self.parts, self.pattern.axes, self.pattern.spec.where)
        return self._segment.find(texts)[0]

    def shapes(self) -> list[Shape]:
        """Return the segment as sequences of literals and wildcards ('').

        Few values of an enumerated placeholder are spelled out; many stand as a wildcard, so that the shapes
        may say more texts than the segment has, never fewer.
        """
        options: list[Sequence[str]] = []
        for part in self.parts:
            values = None if isinstance(part, str) else self._values(part)
            options.append(
                [part] if isinstance(part, str) else [SOME] if values is None else values.to_list()
            )
            if reduce(lambda count, option: count * len(option), options, 1) > _MAX_SHAPES:
                options[-1] = [SOME]
        return [tuple(shape) for shape in product(*options)]

    def _values(self, part: Placeholder) -> pl.Series | None:
        place = self._place(part)
        return (
            None
            if place is None
            else self.pattern.axes[place].texts(part.name, part.spec).unique(maintain_order=True)
        )

    def _place(self, part: Placeholder) -> int | None:
        return next((n for n, axis in enumerate(self.pattern.axes) if part.name in axis.fields), None)


def common_text(left: Language, right: Language) -> str | None:
    """Return a text that both segments can be ('…' where only their shapes meet); None if there is none.

    Raises ``ConfigError`` where one of them cannot be read.
    """
    if left.wild and right.wild:
        met = any(shapes_meet(one, other) for one in left.shapes() for other in right.shapes())
        return "…" if met else None
    if left.wild:
        left, right = right, left
    texts = left.texts()
    fits = pl.Series(right.fits(texts)) if right.wild else texts.is_in(right.texts().implode())
    shared = texts.filter(fits).min()
    return None if shared is None else str(shared)


def shapes_meet(left: Shape, right: Shape) -> bool:
    """Tell whether some text fits both shapes: a walk over pairs of positions in the two."""
    one, other = _tokens(left), _tokens(right)
    seen: set[tuple[int, int]] = set()
    todo = [(0, 0)]
    while todo:
        at = todo.pop()
        if at in seen:
            continue
        seen.add(at)
        i, j = at
        if i == len(one) and j == len(other):
            return True
        todo += _steps(one, other, i, j)
    return False


def _tokens(shape: Shape) -> list[str | None]:
    """Return single characters, and None (any one) with '' (any number more) for each wildcard."""
    tokens: list[str | None] = []
    for piece in shape:
        tokens.extend([None, SOME] if piece == SOME else list(piece))
    return tokens


def _steps(one: list[str | None], other: list[str | None], i: int, j: int) -> Iterator[tuple[int, int]]:
    here = one[i] if i < len(one) else None
    there = other[j] if j < len(other) else None
    if i < len(one) and here == SOME:
        yield i + 1, j
    if j < len(other) and there == SOME:
        yield i, j + 1
    if i == len(one) or j == len(other):
        return
    if here == there or here in (None, SOME) or there in (None, SOME):
        yield i + (here != SOME), j + (there != SOME)
