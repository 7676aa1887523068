"""Declarations built by hand: what a YAML file would say, as core's values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from recon.core.binding import Binding, BoundPattern, BoundType, Catalog, bind
from recon.core.dimensions import parse_dimension
from recon.core.inventory import CatalogSpec, Dataset, Inventory, PatternSpec

NOW = np.datetime64("2025-11-01T12:00:00", "s")


def dataset(*patterns: str | PatternSpec, name: str = "src.kind", **settings: Any) -> Dataset:
    """Return a data type of ``patterns``; each says it stands at ``inventory.yaml:1:1``."""
    source, _, data_type = name.partition(".")
    where = settings.pop("where", "inventory.yaml:1:1")
    specs = tuple(PatternSpec(text, where) if isinstance(text, str) else text for text in patterns)
    return Dataset(source, data_type, where, specs, scraper=source, **settings)


def inventory(
    *datasets: Dataset,
    dimensions: Mapping[str, Mapping[str, object]] | None = None,
    catalogs: Sequence[Catalog] = (),
) -> Inventory:
    """Return an inventory; ``dimensions`` as YAML would say them."""
    return Inventory(
        dimensions=tuple(parse_dimension(name, value) for name, value in (dimensions or {}).items()),
        catalogs=tuple(catalog.spec for catalog in catalogs),
        datasets=datasets,
    )


def catalog(name: str, columns: Mapping[str, Sequence[str]], **spec: str) -> Catalog:
    """Return a loaded catalog."""
    frame = pl.DataFrame(
        {key: list(values) for key, values in columns.items()},
        schema_overrides=dict.fromkeys(columns, pl.String),
    )
    return Catalog(CatalogSpec(name, "inventory.yaml:9:3", file=f"{name}.csv", **spec), frame)


def binding(
    *datasets: Dataset,
    dimensions: Mapping[str, Mapping[str, object]] | None = None,
    catalogs: Sequence[Catalog] = (),
    now: np.datetime64 = NOW,
) -> Binding:
    """Bind what is declared."""
    declared = inventory(*datasets, dimensions=dimensions, catalogs=catalogs)
    return bind(declared, {loaded.spec.name: loaded for loaded in catalogs}, now)


def bound_type(*args: Any, **settings: Any) -> BoundType:
    """Bind one data type and return it."""
    (only,) = binding(*args, **settings).types
    return only


def bound_pattern(*args: Any, **settings: Any) -> BoundPattern:
    """Bind one data type of one pattern and return the pattern."""
    (expectation,) = bound_type(*args, **settings).expectations
    (only,) = expectation.patterns
    return only


def notices(*args: Any, **settings: Any) -> str:
    """Bind and return the notices, one a line."""
    return "\n".join(notice.message for notice in binding(*args, **settings).notices)


def keys(pattern: BoundPattern) -> list[str]:
    """Return every expected key of an exact pattern without life spans: the plain oracle."""
    found = pl.DataFrame({"": [""]})
    names: dict[tuple[str, str], str] = {}
    for number, axis in enumerate(pattern.axes):
        own = [p for p in dict.fromkeys(pattern.template.placeholders) if p.name in axis.fields]
        for p in own:
            names[p.name, p.spec] = f"{number}:{p.name}:{p.spec}"
        columns = [axis.texts(p.name, p.spec).alias(names[p.name, p.spec]) for p in own]
        found = found.join(pl.DataFrame(columns), how="cross")
    return [
        "".join(
            part if isinstance(part, str) else row[names[part.name, part.spec]]
            for part in pattern.template.parts
        )
        for row in found.iter_rows(named=True)
    ]
