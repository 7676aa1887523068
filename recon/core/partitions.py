"""The partitions of one expectation: a label per combination of values, and each ordinal's number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from recon.core.block import Block, Ordinals
from recon.core.text_table import Codes, factorised

Label = tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class _DigitCodes:
    """Per digit of a block: the partition sub-code of each digit value, and the labels of the sub-codes."""

    place: int
    codes: Codes
    labels: list[Label]


@dataclass(eq=False)
class Partitions:
    """Numbers the partitions of several blocks together; labels are in order of first appearance."""

    labels: list[Label] = field(default_factory=list)
    _numbers: dict[Label, int] = field(default_factory=dict)
    _blocks: list[tuple[Block, list[_DigitCodes], Codes]] = field(default_factory=list)

    def add(self, block: Block, names: Sequence[str], *, coarse: bool) -> None:
        """Number the partitions of one more block.

        ``coarse`` groups steps of time (hours by day, days by month, longer by year).
        """
        digits = _digit_codes(block, names, coarse=coarse)
        combined: list[Label] = [()]
        for digit in digits:
            combined = [left + right for left in combined for right in digit.labels]
        numbers = [self._number(sorted_as(names, label)) for label in combined]
        self._blocks.append((block, digits, np.array(numbers, dtype=np.int64)))

    def of(self, place: int, ordinals: Ordinals) -> Codes:
        """Return the partition number of ordinals of block ``place``."""
        block, digits, numbers = self._blocks[place]
        if len(numbers) == 1:
            return np.full(len(ordinals), numbers[0], dtype=np.int64)
        first, *others = digits
        local = first.codes[block.digits[first.place].of(ordinals)]
        for item in others:
            local = local * len(item.labels) + item.codes[block.digits[item.place].of(ordinals)]
        return numbers[local]

    def sizes(self) -> Codes:
        """Return how many ordinals each partition has."""
        totals = np.zeros(len(self.labels), dtype=np.int64)
        for block, digits, numbers in self._blocks:
            counts = np.ones(1, dtype=np.int64)
            rest = block.size
            for item in digits:
                here = np.bincount(item.codes, minlength=len(item.labels))
                counts = np.multiply.outer(counts, here).ravel()
                rest //= max(block.digits[item.place].size, 1)
            np.add.at(totals, numbers, counts * rest)
        return totals

    def _number(self, label: Label) -> int:
        if label not in self._numbers:
            self._numbers[label] = len(self.labels)
            self.labels.append(label)
        return self._numbers[label]


def sorted_as(names: Sequence[str], label: Label) -> Label:
    """Return the label's pairs in the order of ``names``."""
    values = dict(label)
    return tuple((name, values[name]) for name in names if name in values)


def _digit_codes(block: Block, names: Sequence[str], *, coarse: bool) -> list[_DigitCodes]:
    by_digit: dict[int, list[tuple[str, pl.Series]]] = {}
    codes_by_digit: dict[int, list[Codes]] = {}
    for name in names:
        for number, axis in enumerate(block.axes):
            if name not in axis.fields:
                continue
            distinct, codes = factorised(axis.partition_texts(name) if coarse else axis.texts(name))
            place, spread = block.spread(number, codes)
            by_digit.setdefault(place, []).append((name, distinct))
            codes_by_digit.setdefault(place, []).append(spread)
            break
    return [_joined(place, columns, codes_by_digit[place]) for place, columns in sorted(by_digit.items())]


def _joined(place: int, columns: list[tuple[str, pl.Series]], codes: list[Codes]) -> _DigitCodes:
    joined = np.zeros(len(codes[0]), dtype=np.int64)
    for (_, distinct), sub in zip(columns, codes, strict=True):
        joined = joined * len(distinct) + sub
    present, first, dense = np.unique(joined, return_index=True, return_inverse=True)
    labels: list[Label] = [
        tuple(
            (name, str(distinct[int(sub[row])])) for (name, distinct), sub in zip(columns, codes, strict=True)
        )
        for row in first[: len(present)]
    ]
    return _DigitCodes(place, dense.astype(np.int64), labels)
