"""The keys of inventory.yaml: what may stand where, and of which type."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from recon.adapters.inventory_file.dimension import DIMENSION_SCHEMA, dimensions_of
from recon.core.dimensions import Dimension, Seasons, parse_seasons
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.pattern import parse_template
from recon.shapes import (
    Count,
    Duration,
    Flag,
    Fraction,
    Name,
    NoEffect,
    Number,
    Positive,
    Shape,
    Text,
    parsed,
    problem,
)
from recon.strict_yaml import as_written

_LABEL = re.compile(r"\w[\w.-]*")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SCRAPER_PARTS = ("source", "data_type")

_SEASONS_SCHEMA = {
    "description": "Seasons: a list, a range such as 1996-97..current, names, or one of these per league.",
    "anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "array"}, {"type": "object"}],
}


def _label(value: Any) -> Any:
    text = as_written(value)
    if not isinstance(text, str) or not _LABEL.fullmatch(text):
        raise problem(f"expected a name of letters, digits, '_', '-' and '.', got {text!r}")
    return text


def _date(value: Any) -> Any:
    text = as_written(value)
    try:
        if isinstance(text, str) and _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise problem(f"expected a date such as 2027-01-31, got {text!r}")


def _template(value: Any) -> Any:
    text = as_written(value)
    if isinstance(text, str):
        try:
            parse_template(text)
        except InvalidValueError as error:
            raise problem(error.message) from error
    return text


def _scraper(value: Any) -> Any:
    text = as_written(value)
    if not isinstance(text, str):
        return text
    for name in re.findall(r"\{([^{}]*)\}", text):
        if name not in _SCRAPER_PARTS:
            raise problem(
                f"unknown placeholder {{{name}}} in a scraper's name{did_you_mean(name, _SCRAPER_PARTS)}"
            )
    if re.search(r"[{}]", re.sub(r"\{[^{}]*\}", "", text)):
        raise problem(
            f"unbalanced braces in {text!r}; expected a name, or a template such as {{source}}_{{data_type}}"
        )
    return text


def _one_number(value: Any) -> Any:
    if isinstance(value, dict) and len(value) > 1:
        keys = ", ".join(f"expected_per_{name}" for name in value)
        raise problem(f"{keys} stand side by side; keep one", [next(reversed(value))])
    return value


#: A source's or data type's name; it appears in selections, metrics and file names.
Label = Annotated[str, BeforeValidator(_label)]
Day = Annotated[date, BeforeValidator(_date), WithJsonSchema({"type": "string", "format": "date"})]
Pattern = Annotated[str, Field(strict=True), BeforeValidator(_template)]
Scraper = Annotated[str, Field(strict=True, min_length=1), BeforeValidator(_scraper)]
SeasonSet = Annotated[Seasons, parsed(parse_seasons), WithJsonSchema(_SEASONS_SCHEMA)]
ExpectedPer = Annotated[dict[Name, Positive], BeforeValidator(_one_number)]


class PatternShape(Shape):
    """A path pattern with settings of its own; plain text stands for a pattern without any."""

    family: ClassVar[str] = "expected_per_*"

    pattern: Pattern
    min_size_bytes: Count | None = None
    freshness_days: Number | None = None
    due_after: Duration | None = None
    required: Flag | None = None
    expected_per: ExpectedPer = Field(default_factory=dict, alias="expected_per_*")
    expected_count: Positive | None = None
    partition: tuple[Name, ...] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, data: Any) -> Any:
        text = as_written(data)
        return {"pattern": text} if isinstance(text, str) else data

    @classmethod
    def __get_pydantic_json_schema__(
        cls,
        core_schema: CoreSchema,
        handler: GetJsonSchemaHandler,
    ) -> JsonSchemaValue:
        """Return a schema that accepts plain text too."""
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(core_schema))]}


class TypeShape(Shape):
    """One data type of a source."""

    family: ClassVar[str] = "expected_per_*"

    path_patterns: Annotated[tuple[PatternShape, ...], Field(min_length=1)]
    for_each: Name | None = Field(None, description="A catalog: one expected object per row.")
    seasons: SeasonSet | None = None
    except_: dict[Name, tuple[Text, ...]] | None = Field(None, alias="except")
    scraper: Scraper | None = None
    batch_size: Positive | None = None
    required: Flag | None = None
    priority: Literal["IMMEDIATE", "HIGH", "EXECUTE", "MEDIUM", "LOW"] | None = None
    freshness_days: Number | None = Field(None, description="Older objects of live partitions are stale.")
    freshness_applies_to: Literal["live", "all"] | None = None
    completeness_threshold: Fraction | None = Field(None, description="A fraction: 0.95 for 95 %.")
    due: Literal["start", "end"] | None = None
    due_after: Duration | None = None
    min_size_bytes: Count | None = None
    partition: tuple[Name, ...] | None = None
    expected_per: ExpectedPer = Field(default_factory=dict, alias="expected_per_*")
    expected_count: Positive | None = None
    expected_years: Positive | None = None
    description: Text | None = None
    tier: NoEffect = None
    estimated_records: NoEffect = None


class SourceShape(Shape):
    """One source: where data comes from, and what it delivers."""

    scraper: Scraper | None = Field(None, description="Default: the source's name.")
    batch_size: Positive | None = Field(None, description="Keys per scrape task; default 50.")
    seasons: SeasonSet | None = None
    description: NoEffect = None
    data_types: Annotated[dict[Label, TypeShape], Field(min_length=1)]


class CatalogShape(Shape):
    """A table of things that exist; ``due``, ``partition``, ``from`` and ``until`` name its columns."""

    file: Name | None = Field(None, description="CSV, Parquet or JSON Lines, relative to this file.")
    lake: Name | None = Field(None, description="The same, as a key of the lake.")
    due: Name | None = None
    partition: Name | None = None
    from_: Name | None = Field(None, alias="from")
    until: Name | None = None

    @model_validator(mode="after")
    def _one_place(self) -> CatalogShape:
        if (self.file is None) == (self.lake is None):
            raise problem("expected exactly one of `file` (a path) and `lake` (a key of the lake)")
        return self


class WaiverShape(Shape):
    """A declared absence: a key, or keys of a data type."""

    key: Name | None = None
    source: Name | None = None
    data_type: Name | None = None
    where: dict[Name, Text] | None = None
    reason: Name
    until: Day | None = Field(None, description="Inclusive; without it the waiver stands.")
    by: Text | None = None

    @model_validator(mode="after")
    def _one_scope(self) -> WaiverShape:
        by_type = (self.source, self.data_type, self.where)
        if self.key is not None and any(part is not None for part in by_type):
            raise problem(
                "`key` stands alone; expected either `key`, or `source` and `data_type` (and `where`)"
            )
        if self.key is None and (self.source is None or self.data_type is None):
            raise problem("expected `key`, or `source` and `data_type` (and `where`)")
        return self


class QualityShape(Shape):
    """Defaults for every data type."""

    min_file_size_bytes: Count | None = Field(None, description="Default of min_size_bytes.")
    max_file_age_days: Number | None = Field(None, description="Default of freshness_days.")
    required_fields: NoEffect = None


def _dimensions(value: Any, info: ValidationInfo) -> Any:
    return dimensions_of(value, (info.context or {})["folder"])


class InventoryShape(Shape):
    """The whole file."""

    dimensions: Annotated[
        tuple[Dimension, ...],
        BeforeValidator(_dimensions),
        WithJsonSchema({"type": "object", "additionalProperties": DIMENSION_SCHEMA}),
    ] = ()
    catalogs: dict[Label, CatalogShape] = Field(default_factory=dict)
    ignore_patterns: tuple[Name, ...] = Field((), description="Globs; ** crosses /.")
    expected_coverage: Annotated[dict[Label, SourceShape], Field(min_length=1)]
    known_absent: tuple[WaiverShape, ...] = ()
    expected_file_counts: dict[Name, dict[Name, Positive]] = Field(default_factory=dict)
    quality_requirements: QualityShape = Field(default_factory=QualityShape)
    version: NoEffect = None
    last_updated: NoEffect = None
    metadata: NoEffect = None
    priority_rules: NoEffect = None
    expected_game_counts: NoEffect = None
    reconciliation_config: NoEffect = None
