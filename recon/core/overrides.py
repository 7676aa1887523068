"""Settings of recon.yaml that change one source's data types: ``gap_detection.<source>_specific``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from recon.core.invalid import did_you_mean
from recon.model import Notice

if TYPE_CHECKING:  # the settings need this noun, not the 0.3 s that the inventory takes to import
    from recon.core.inventory import Dataset, Inventory


@dataclass(frozen=True, slots=True)
class SourceOverride:
    """What one enabled section says of its source; None and empty values say nothing.

    ``scraper`` and ``critical_threshold_s`` override, ``freshness_s`` and ``completeness`` (a fraction)
    fill what the inventory leaves blank, ``scraper_args`` go into the task body.
    """

    source: str
    where: str
    scraper: str | None = None
    scraper_args: tuple[str, ...] = ()
    critical_threshold_s: float | None = None
    freshness_s: float | None = None
    completeness: float | None = None
    required_types: tuple[str, ...] = ()


def overridden(
    inventory: Inventory,
    overrides: Sequence[SourceOverride],
    blanks: Mapping[str, frozenset[str]],
) -> tuple[Inventory, tuple[Notice, ...]]:
    """Return the inventory with every override applied, and what a person should know about them.

    ``blanks`` maps a data type's full name to the fields (``freshness_s``, ``completeness_threshold``) that
    the inventory leaves to defaults.
    """
    by_source = {override.source: override for override in overrides}
    datasets = tuple(
        _overridden(dataset, by_source[dataset.source], blanks.get(dataset.name, frozenset()))
        if dataset.source in by_source
        else dataset
        for dataset in inventory.datasets
    )
    notices = [notice for override in overrides for notice in _notices(inventory, override)]
    return replace(inventory, datasets=datasets), tuple(notices)


def _overridden(dataset: Dataset, override: SourceOverride, blank: frozenset[str]) -> Dataset:
    changed = replace(
        dataset,
        scraper=override.scraper or dataset.scraper,
        scraper_args=override.scraper_args or dataset.scraper_args,
    )
    if override.critical_threshold_s is not None:
        changed = replace(changed, critical_threshold_s=override.critical_threshold_s)
    if override.freshness_s is not None and "freshness_s" in blank:
        changed = replace(changed, freshness_s=override.freshness_s)
    if override.completeness is not None and "completeness_threshold" in blank:
        changed = replace(changed, completeness_threshold=override.completeness)
    return changed


def _notices(inventory: Inventory, override: SourceOverride) -> list[Notice]:
    key = f"{override.source}_specific"
    sources = dict.fromkeys(dataset.source for dataset in inventory.datasets)
    if override.source not in sources:
        hint = did_you_mean(override.source, sources)
        return [
            Notice(
                f"{key} has no effect: the inventory has no source {override.source!r}{hint}", override.where
            )
        ]
    declared = {dataset.data_type for dataset in inventory.datasets if dataset.source == override.source}
    absent = [name for name in override.required_types if name not in declared]
    if not absent:
        return []
    return [
        Notice(
            f"{key} requires {', '.join(absent)}, but the inventory declares no such data type of "
            f"{override.source!r}: nothing is expected of it; declare it with its path_patterns",
            override.where,
        ),
    ]
