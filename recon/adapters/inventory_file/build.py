"""The shape of inventory.yaml -> the values core works with: names resolved, defaults filled in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from recon.adapters.inventory_file.shape import (
    CatalogShape,
    InventoryShape,
    PatternShape,
    SourceShape,
    TypeShape,
    WaiverShape,
)
from recon.core.invalid import did_you_mean
from recon.core.inventory import CatalogSpec, Dataset, Inventory, PatternSpec, Waiver
from recon.errors import ConfigError
from recon.model import Notice
from recon.shapes import Shape, in_file_order
from recon.strict_yaml import Document

_DAY_S = 86400.0
_BATCH_SIZE = 50
#: Keys that change nothing, by the shape that accepts them.
_NO_EFFECT_AT_TOP = (
    "version",
    "last_updated",
    "metadata",
    "priority_rules",
    "expected_game_counts",
    "reconciliation_config",
)
_NO_EFFECT_IN_TYPES = ("description", "tier", "estimated_records")


def built(shape: InventoryShape, document: Document) -> Inventory:
    """Return the declared inventory; raise ``ConfigError`` for names that nothing declares."""
    unresolved = in_file_order(_unresolved(shape, document))
    if unresolved:
        raise ConfigError(unresolved)
    return Inventory(
        dimensions=tuple(
            replace(dimension, where=document.where(("dimensions", dimension.name), key=True))
            for dimension in shape.dimensions
        ),
        catalogs=tuple(_catalog(name, inner, document) for name, inner in shape.catalogs.items()),
        ignore_patterns=shape.ignore_patterns,
        datasets=tuple(
            _dataset(shape, source, data_type, document)
            for source, inner in shape.expected_coverage.items()
            for data_type in inner.data_types
        ),
        waivers=tuple(
            _waiver(inner, document.where(("known_absent", index)))
            for index, inner in enumerate(shape.known_absent)
        ),
        notices=tuple(_notices(shape, document)),
        without_effect=_without_effect(shape),
    )


def blanks_of(shape: InventoryShape) -> dict[str, frozenset[str]]:
    """Return, by a data type's full name, the fields that settings may fill: the file leaves them blank."""
    return {
        f"{source}.{name}": frozenset(
            field
            for field, written in (
                ("freshness_s", inner.freshness_days),
                ("completeness_threshold", inner.completeness_threshold),
            )
            if written is None
        )
        for source, outer in shape.expected_coverage.items()
        for name, inner in outer.data_types.items()
    }


def _dataset(shape: InventoryShape, source: str, data_type: str, document: Document) -> Dataset:
    outer = shape.expected_coverage[source]
    inner = outer.data_types[data_type]
    quality = shape.quality_requirements
    path = ("expected_coverage", source, "data_types", data_type)
    freshness = _first(inner.freshness_days, quality.max_file_age_days)
    return Dataset(
        source=source,
        data_type=data_type,
        where=document.where(path, key=True),
        patterns=tuple(
            _pattern(one, document.where((*path, "path_patterns", index)))
            for index, one in enumerate(inner.path_patterns)
        ),
        scraper=_scraper(outer, inner, source, data_type),
        batch_size=inner.batch_size or outer.batch_size or _BATCH_SIZE,
        seasons=outer.seasons,
        type_seasons=inner.seasons,
        except_values=tuple((inner.except_ or {}).items()),
        for_each=inner.for_each,
        required=inner.required is not False,
        declared_priority=inner.priority,
        freshness_s=None if freshness is None else freshness * _DAY_S,
        freshness_applies_to_all=inner.freshness_applies_to == "all",
        completeness_threshold=1.0 if inner.completeness_threshold is None else inner.completeness_threshold,
        due_after_s=inner.due_after or 0.0,
        due_at=inner.due,
        min_size_bytes=int(_first(inner.min_size_bytes, quality.min_file_size_bytes) or 0),
        partition=inner.partition,
        expected_per=_expected_per(inner),
        expected_count=inner.expected_count,
        expected_years=inner.expected_years,
        expected_file_count=shape.expected_file_counts.get(source, {}).get(data_type),
        description=inner.description or "",
    )


def _first(own: float | None, default: float | None) -> float | None:
    return default if own is None else own


def _scraper(outer: SourceShape, inner: TypeShape, source: str, data_type: str) -> str:
    template = inner.scraper or outer.scraper or source
    return template.replace("{data_type}", data_type).replace("{source}", source)


def _expected_per(shape: PatternShape | TypeShape) -> tuple[str, int] | None:
    return next(iter(shape.expected_per.items()), None)


def _pattern(shape: PatternShape, where: str) -> PatternSpec:
    return PatternSpec(
        text=shape.pattern,
        where=where,
        min_size_bytes=shape.min_size_bytes,
        freshness_s=None if shape.freshness_days is None else shape.freshness_days * _DAY_S,
        due_after_s=shape.due_after,
        required=shape.required,
        expected_per=_expected_per(shape),
        expected_count=shape.expected_count,
        partition=shape.partition,
    )


def _catalog(name: str, shape: CatalogShape, document: Document) -> CatalogSpec:
    return CatalogSpec(
        name=name,
        where=document.where(("catalogs", name), key=True),
        file=shape.file,
        lake=shape.lake,
        due=shape.due,
        partition=shape.partition,
        starts=shape.from_,
        ends=shape.until,
    )


def _waiver(shape: WaiverShape, where: str) -> Waiver:
    return Waiver(
        where=where,
        reason=shape.reason,
        key=shape.key,
        source=shape.source,
        data_type=shape.data_type,
        fields=tuple((shape.where or {}).items()),
        until=shape.until,
        by=shape.by or "",
    )


def _unresolved(shape: InventoryShape, document: Document) -> Iterator[str]:
    """Yield a problem for every name that refers to nothing."""
    for source, outer in shape.expected_coverage.items():
        for name, inner in outer.data_types.items():
            if inner.for_each is not None and inner.for_each not in shape.catalogs:
                where = document.where(("expected_coverage", source, "data_types", name, "for_each"))
                hint = did_you_mean(inner.for_each, shape.catalogs)
                yield f"{where}: no catalog {inner.for_each!r} under `catalogs`{hint}"
    for source, counts in shape.expected_file_counts.items():
        for name in counts:
            yield from _unknown_type(shape, source, name, document, ("expected_file_counts", source, name))
    for index, waiver in enumerate(shape.known_absent):
        if waiver.source is not None and waiver.data_type is not None:
            yield from _unknown_type(
                shape, waiver.source, waiver.data_type, document, ("known_absent", index)
            )


def _unknown_type(
    shape: InventoryShape,
    source: str,
    name: str,
    document: Document,
    path: tuple[str | int, ...],
) -> Iterator[str]:
    sources: Mapping[str, SourceShape] = shape.expected_coverage
    where = document.where(path, key=True)
    if source not in sources:
        yield f"{where}: `expected_coverage` has no source {source!r}{did_you_mean(source, sources)}"
    elif name not in sources[source].data_types:
        hint = did_you_mean(name, sources[source].data_types)
        yield f"{where}: source {source!r} has no data type {name!r}{hint}"


def _without_effect(shape: InventoryShape) -> tuple[str, ...]:
    types: list[Shape] = [
        inner for outer in shape.expected_coverage.values() for inner in outer.data_types.values()
    ]
    types += shape.expected_coverage.values()
    written = [name for name in _NO_EFFECT_AT_TOP if name in shape.model_fields_set]
    written += [
        name for name in _NO_EFFECT_IN_TYPES if any(name in inner.model_fields_set for inner in types)
    ]
    if "required_fields" in shape.quality_requirements.model_fields_set:
        written.append("quality_requirements.required_fields")
    return tuple(sorted(written))


def _notices(shape: InventoryShape, document: Document) -> Iterator[Notice]:
    own = shape.reconciliation_config
    if isinstance(own, dict) and own.get("dry_run") is True:
        where = document.where(("reconciliation_config", "dry_run"))
        yield Notice(
            "the inventory's `reconciliation_config` has no effect, its `dry_run: true` included; "
            "a dry run is asked for by `dry_run.enabled` in recon.yaml or by --dry-run",
            where,
        )
