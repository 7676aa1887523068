"""The declared inventory as values: sources, data types, patterns, catalogs, waivers.

These are declarations: nothing is enumerated here. ``binding.bind`` turns a data type, the catalogs and
``now`` into axes; ``domain`` turns those into ordinals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from recon.core.dimensions import Dimension, Seasons
from recon.model import Notice


@dataclass(frozen=True, slots=True)
class PatternSpec:
    """One path template of a data type, with the settings a pattern may carry for itself.

    ``expected_per`` is ``(dimension, number)``; None values fall back to the data type's own.
    """

    text: str
    where: str
    min_size_bytes: int | None = None
    freshness_s: float | None = None
    due_after_s: float | None = None
    required: bool | None = None
    expected_per: tuple[str, int] | None = None
    expected_count: int | None = None
    partition: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """One data type of one source, with every setting resolved to the type (defaults already applied).

    ``seasons`` are the source's; ``type_seasons`` are the data type's own and narrow what ``{season}`` and
    ``{year}`` enumerate (they stand alone where the source declares none). ``due_at`` is ``start``,
    ``end`` or None: which edge of a step or season makes its objects due. ``except_values`` are
    ``(placeholder, texts)`` left out of the enumeration.
    """

    source: str
    data_type: str
    where: str
    patterns: tuple[PatternSpec, ...]
    scraper: str
    batch_size: int = 50
    seasons: Seasons | None = None
    type_seasons: Seasons | None = None
    except_values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    for_each: str | None = None
    required: bool = True
    declared_priority: str | None = None
    freshness_s: float | None = None
    freshness_applies_to_all: bool = False
    completeness_threshold: float = 1.0
    due_after_s: float = 0.0
    due_at: str | None = None
    min_size_bytes: int = 0
    partition: tuple[str, ...] | None = None
    expected_per: tuple[str, int] | None = None
    expected_count: int | None = None
    expected_years: int | None = None
    expected_file_count: int | None = None
    description: str = ""
    scraper_args: tuple[str, ...] = ()
    critical_threshold_s: float | None = None

    @property
    def name(self) -> str:
        """Return ``source.data_type``, the name used in messages and counted gaps."""
        return f"{self.source}.{self.data_type}"


@dataclass(frozen=True, slots=True)
class CatalogSpec:
    """A table of things that exist: one expected object (or span of them) per row.

    Exactly one of ``file`` (relative to the inventory) and ``lake`` (a key) is set; ``due``,
    ``partition``, ``starts`` (YAML ``from``) and ``ends`` (YAML ``until``) name columns.
    """

    name: str
    where: str
    file: str | None = None
    lake: str | None = None
    due: str | None = None
    partition: str | None = None
    starts: str | None = None
    ends: str | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """A declared absence: a key, or every key of a data type whose fields equal ``fields``.

    ``until`` is inclusive; None stands for ever.
    """

    where: str
    reason: str
    key: str | None = None
    source: str | None = None
    data_type: str | None = None
    fields: tuple[tuple[str, str], ...] = ()
    until: date | None = None
    by: str = ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything the YAML declares, in file order."""

    dimensions: tuple[Dimension, ...] = ()
    catalogs: tuple[CatalogSpec, ...] = ()
    ignore_patterns: tuple[str, ...] = ()
    datasets: tuple[Dataset, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    notices: tuple[Notice, ...] = field(default=())
    without_effect: tuple[str, ...] = ()
