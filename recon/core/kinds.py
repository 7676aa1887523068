"""How a data type is judged: key by key, against a number, or only by presence; and in which partitions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from recon.core.axis import AxisKind
from recon.core.bound import BoundPattern, Expectation
from recon.core.catalog import Catalog
from recon.core.enumeration import SEASON_FIELDS, summary
from recon.core.findings import Findings
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.inventory import Dataset
from recon.model import Kind

#: Returns how many values enumerate a name in a data type's patterns; None where nothing does.
SizeOf = Callable[[str], int | None]


class Judge:
    """Decides the expectations of one data type from its bound patterns and declared numbers."""

    def __init__(
        self, dataset: Dataset, catalog: Catalog | None, size_of: SizeOf, findings: Findings
    ) -> None:
        """Take what is declared of the type; ``size_of`` counts names that no pattern holds."""
        self.dataset = dataset
        self.catalog = catalog
        self.size_of = size_of
        self.findings = findings

    def expectations(self, patterns: Sequence[BoundPattern]) -> tuple[Expectation, ...]:
        """Return the expectations, in the order of their first patterns.

        Raises:
            InvalidValueError: If a number or a partition names what nothing enumerates.
        """
        own = [pattern for pattern in patterns if pattern.wildcards and _has_number(pattern)]
        pooled = [pattern for pattern in patterns if pattern.wildcards and not _has_number(pattern)]
        exact = [pattern for pattern in patterns if not pattern.wildcards]
        self._note_idle_numbers(exact, pooled)
        found = [*self._exact(exact, alone=not own and not pooled)]
        for pattern in own:
            spec = pattern.spec
            found += self._numbered([pattern], spec.expected_per, spec.expected_count, None)
        if pooled:
            total = self._total()
            number = None if total is None else total[1]
            found += self._numbered(pooled, self.dataset.expected_per, self.dataset.expected_count, number)
        order = {id(pattern): place for place, pattern in enumerate(patterns)}
        return tuple(sorted(found, key=lambda expectation: order[id(expectation.patterns[0])]))

    # -- exact ----------------------------------------------------------------------------------------

    def _exact(self, patterns: Sequence[BoundPattern], *, alone: bool) -> list[Expectation]:
        number = self._total()
        if patterns and alone and number is not None and not self._agrees(patterns, *number):
            return [Expectation(Kind.COUNTED, tuple(patterns), (), number[1])]
        return [
            Expectation(Kind.EXACT, group, partition)
            for partition, group in _grouped(patterns, self._partition).items()
        ]

    def _total(self) -> tuple[str, int] | None:
        """Return the declared total and its key in YAML, unless a number per value outranks it."""
        if self.dataset.expected_per is not None or self.dataset.expected_count is not None:
            return None
        if self.dataset.expected_years is not None:
            return "expected_years", self.dataset.expected_years
        if self.dataset.expected_file_count is not None:
            return "expected_file_counts", self.dataset.expected_file_count
        return None

    def _agrees(self, patterns: Sequence[BoundPattern], key: str, number: int) -> bool:
        """Tell whether the enumeration yields ``number`` objects (or years); else say how to mend it."""
        count = sum(map(_count, patterns))
        seasons = {
            axis.fields: axis for p in patterns for axis in p.axes if {*axis.fields} & {*SEASON_FIELDS}
        }
        years = next(iter(seasons.values()), None)
        if number == count or (key == "expected_years" and years is not None and number == years.size):
            return True
        of = f" of '{years.name}', {summary(years)}" if years is not None and count == years.size else ""
        own = f"{{{self.dataset.source}: {{{self.dataset.data_type}: {count}}}}}"
        mend = f"{key}: {count if key == 'expected_years' else own}"
        self.findings.notice(
            self.dataset.where,
            f"{self.dataset.name}: its patterns enumerate {count:,} keys{of}, but {key} says {number:,}; it "
            f"is counted against {number:,} until one of them is mended: write '{mend}'",
        )
        return False

    def _partition(self, pattern: BoundPattern) -> tuple[str, ...]:
        """Return an exact pattern's partition: as declared, else the first of the defaults that it has."""
        declared = pattern.spec.partition or self.dataset.partition
        fields = [field for axis in pattern.axes for field in axis.fields]
        if declared is not None:
            _check_fields(declared, fields)
            return declared
        column = self.catalog.spec.partition if self.catalog is not None else None
        times = [axis.name for axis in pattern.axes if axis.kind is AxisKind.TIME]
        for name in (column, *SEASON_FIELDS, *times):
            if name in fields and name is not None:
                return (name,)
        return ()

    # -- counted and any ------------------------------------------------------------------------------

    def _numbered(
        self,
        patterns: Sequence[BoundPattern],
        per: tuple[str, int] | None,
        count: int | None,
        total: int | None,
    ) -> list[Expectation]:
        if per is not None:
            return self._per(patterns, *per)
        if count is not None:
            common = [n for n in patterns[0].enumerated if all(n in p.enumerated for p in patterns)]
            partition, expected = self._coarser(patterns, tuple(common), count)
            return [Expectation(Kind.COUNTED, tuple(patterns), partition, expected)]
        if total is not None:
            partition, expected = self._coarser(patterns, (), total)
            return [Expectation(Kind.COUNTED, tuple(patterns), partition, expected)]
        return [
            Expectation(Kind.ANY, group, partition)
            for partition, group in _grouped(patterns, self._presence).items()
        ]

    def _per(self, patterns: Sequence[BoundPattern], name: str, number: int) -> list[Expectation]:
        holding = [pattern for pattern in patterns if name in pattern.enumerated]
        if not holding:
            size = self.size_of(name)
            if size is None:
                raise InvalidValueError(
                    f"expected_per_{name}: nothing enumerates '{name}'; declare a dimension of that name, "
                    "or write expected_count",
                )
            return [Expectation(Kind.COUNTED, tuple(patterns), (), number * size)]
        partition, expected = self._coarser(holding, (name,), number)
        found = [Expectation(Kind.COUNTED, tuple(holding), partition, expected)]
        others = [pattern for pattern in patterns if pattern not in holding]
        if others:
            texts = " and ".join(f"'{pattern.spec.text}'" for pattern in others)
            self.findings.notice(
                others[0].spec.where,
                f"{self.dataset.name}: {texts} holds no {{{name}}}, so expected_per_{name} cannot count it; "
                "only its presence is checked",
            )
            found += self._numbered(others, None, None, None)
        return found

    def _presence(self, pattern: BoundPattern) -> tuple[str, ...]:
        declared = pattern.spec.partition or self.dataset.partition
        if declared is None:
            return pattern.enumerated
        _check_fields(declared, pattern.enumerated)
        return declared

    def _coarser(
        self, patterns: Sequence[BoundPattern], names: tuple[str, ...], number: int
    ) -> tuple[tuple[str, ...], int]:
        """Return the partition and its number, for ``number`` per combination of ``names``.

        A declared partition may be coarser (the number grows); a finer one cannot be counted and is noted.
        """
        declared = patterns[0].spec.partition or self.dataset.partition
        if declared is None:
            return names, number
        _check_fields(declared, [name for pattern in patterns for name in pattern.enumerated])
        if not set(declared) <= set(names):
            per = " and ".join(names) or "the whole type"
            self.findings.notice(
                patterns[0].spec.where,
                f"{self.dataset.name}: partition [{', '.join(declared)}] is finer than its number, which "
                f"counts per {per}; the number decides",
            )
            return names, number
        axes = {
            axis.fields: axis.size for n in names if (axis := patterns[0].axis_of(n)) and n not in declared
        }
        return declared, number * math.prod(axes.values())

    # -- notices --------------------------------------------------------------------------------------

    def _note_idle_numbers(self, exact: Sequence[BoundPattern], pooled: Sequence[BoundPattern]) -> None:
        for pattern in exact:
            if _has_number(pattern):
                self._note_idle(pattern.spec.where, f"'{pattern.spec.text}'", _key(pattern.spec.expected_per))
        dataset = self.dataset
        if exact and not pooled and (dataset.expected_per is not None or dataset.expected_count is not None):
            self._note_idle(dataset.where, dataset.name, _key(dataset.expected_per))

    def _note_idle(self, where: str, what: str, key: str) -> None:
        self.findings.notice(where, f"{what}: {key} has no effect, since every placeholder is enumerated")


def _key(per: tuple[str, int] | None) -> str:
    return "expected_count" if per is None else f"expected_per_{per[0]}"


def _has_number(pattern: BoundPattern) -> bool:
    return pattern.spec.expected_per is not None or pattern.spec.expected_count is not None


def _count(pattern: BoundPattern) -> int:
    spans = pattern.spans
    if spans is None:
        return math.prod(axis.size for axis in pattern.axes)
    rest = (axis.size for axis in pattern.axes if axis.name not in (spans.rows, spans.steps))
    return int(spans.count.sum()) * math.prod(rest)


def _grouped(
    patterns: Iterable[BoundPattern], partition: Callable[[BoundPattern], tuple[str, ...]]
) -> dict[tuple[str, ...], tuple[BoundPattern, ...]]:
    groups: dict[tuple[str, ...], tuple[BoundPattern, ...]] = {}
    for pattern in patterns:
        names = partition(pattern)
        groups[names] = (*groups.get(names, ()), pattern)
    return groups


def _check_fields(declared: Iterable[str], fields: Sequence[str]) -> None:
    for name in declared:
        if name not in fields:
            raise InvalidValueError(
                f"partition names '{name}', which nothing enumerates{did_you_mean(name, fields)}"
            )
