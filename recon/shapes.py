"""Shapes of our YAML files: pydantic at the border only, with errors said in plain words and positions.

A ``Shape`` lists the keys of one mapping. Pydantic finds every problem of a document in one go; this module
words each of them (never in pydantic's jargon) and places it at file:line:column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType
from typing import Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from recon.core import durations
from recon.core.invalid import InvalidValueError, did_you_mean
from recon.errors import ConfigError
from recon.masking import masked
from recon.strict_yaml import Document, KeyPath, as_written, plain

S = TypeVar("S", bound="Shape")

_POSITION = re.compile(r":([0-9]+):([0-9]+): ")


def problem(message: str, path: KeyPath = ()) -> PydanticCustomError:
    """Return the error a validator raises to have ``message`` shown as it is, ``path`` inside its value."""
    return problems([InvalidValueError(message, tuple(path))])


def problems(found: Sequence[InvalidValueError]) -> PydanticCustomError:
    """Return the error a validator raises for several problems inside one value."""
    lines = [(error.path, error.message) for error in found]
    return PydanticCustomError("problems", "see the context", {"problems": lines})


def parsed(parse: Callable[[Any], Any]) -> BeforeValidator:
    """Return a validator that hands the plain value to one of core's parsers and keeps what it returns."""

    def validate(value: Any) -> Any:
        try:
            return parse(plain(value))
        except InvalidValueError as error:
            raise problems([error]) from error

    return BeforeValidator(validate)


class Shape(BaseModel):
    """The keys of one mapping, frozen and closed.

    ``family`` (``expected_per_*``) opens it for keys of that form: they reach the field with that alias,
    as a mapping from what the star stands for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    family: ClassVar[str] = ""

    @model_validator(mode="before")
    @classmethod
    def _gather_family(cls, data: Any) -> Any:
        if not cls.family or not isinstance(data, Mapping):
            return data
        head, _, tail = cls.family.partition("*")
        members: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        for key, value in data.items():
            middle = (
                key[len(head) : len(key) - len(tail)] if key.startswith(head) and key.endswith(tail) else ""
            )
            (members if middle else rest)[middle or key] = value
        return {**rest, cls.family: members} if members else rest


def _duration(value: Any) -> Any:
    seconds = durations.duration_s(value) if isinstance(value, str) else None
    if seconds is None:
        raise problem(f"expected {durations.EXPECTED}, got {described(value)}")
    return seconds


def _positive_duration(value: Any) -> Any:
    seconds = _duration(value)
    if seconds <= 0:
        raise problem(f"expected {durations.EXPECTED}, above zero; got {described(value)}")
    return seconds


_DURATION_SCHEMA = {
    "type": "string",
    "pattern": r"^[0-9]+(\.[0-9]+)?[smhd]$",
    "examples": ["90s", "15m", "6h", "14d"],
}

#: Text exactly as written: ``01`` and ``1e3`` need no quotes.
Text = Annotated[
    str,
    BeforeValidator(as_written),
    Field(strict=True),
    WithJsonSchema({"type": ["string", "number"]}),
]
#: Text that is not empty.
Name = Annotated[
    str,
    BeforeValidator(as_written),
    Field(strict=True, min_length=1),
    WithJsonSchema({"type": ["string", "number"]}),
]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0)]
Positive = Annotated[int, Field(strict=True, ge=1)]
Number = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]
Percent = Annotated[float, Field(strict=True, ge=0, le=100, allow_inf_nan=False)]
Port = Annotated[int, Field(strict=True, ge=1, le=65535)]
#: ``90s``, ``15m``, ``6h``, ``14d``, in seconds.
Duration = Annotated[float, BeforeValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
PositiveDuration = Annotated[float, BeforeValidator(_positive_duration), WithJsonSchema(_DURATION_SCHEMA)]
#: A key that is accepted and listed, but changes nothing.
NoEffect = Annotated[Any, Field(description="Accepted; has no effect.")]


def described(value: Any) -> str:
    """Return what a person would call ``value`` in "expected …, got …"."""
    value = as_written(value) if not isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    shown = masked(str(value))
    return shown if len(shown) <= 60 else f"{shown[:57]}…"


def shaped(shape: type[S], document: Document, context: Mapping[str, Any] | None = None) -> S:
    """Return the document as a ``shape``; raise ``ConfigError`` with every problem of the file at once.

    ``context`` reaches validators that ask for it (the folder that relative paths start from).
    """
    if document.value is None:
        raise ConfigError(f"{document.name}:1:1: the file is empty; expected {_EXPECTED['dict_type']}")
    try:
        value = shape.model_validate(document.value, context=dict(context or {}))
    except ValidationError as error:
        details = error.errors(include_url=False)
        lines = [line for detail in details for line in _placed(shape, document, detail)]
        raise ConfigError(in_file_order([*document.problems, *lines])) from error
    if document.problems:
        raise ConfigError(list(document.problems))
    return value


def in_file_order(lines: Iterable[str]) -> list[str]:
    """Return ``file:line:column: message`` lines, once each, in the order of their positions."""

    def position(line: str) -> tuple[int, int]:
        found = _POSITION.search(line)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    return sorted(dict.fromkeys(lines), key=position)


def json_schema(shape: type[Shape], title: str) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the files that ``shape`` accepts."""
    schema = _tidied(shape.model_json_schema(by_alias=True, mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _tidied(node: Any) -> Any:
    """Return a generated schema without made-up titles, with each ``head_*`` property as a pattern."""
    if isinstance(node, list):
        return [_tidied(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    tidy = {
        key: _tidied(inner) for key, inner in node.items() if not (key == "title" and isinstance(inner, str))
    }
    if isinstance(tidy.get("description"), str):
        tidy["description"] = " ".join(tidy["description"].replace("``", "`").split())
    for name in [name for name in tidy.get("properties", {}) if "*" in name]:
        members = tidy["properties"].pop(name)
        tidy["patternProperties"] = {f"^{name.replace('*', '.+')}$": members["additionalProperties"]}
    return tidy


def _placed(shape: type[Shape], document: Document, detail: ErrorDetails) -> list[str]:
    location = tuple(step for step in detail["loc"] if step != "[key]")
    if detail["type"] == "problems":
        inside = detail.get("ctx", {})["problems"]
        found = [(document.where(_written_path((*location, *path))), text) for path, text in inside]
    else:
        about_key = detail["type"] == "extra_forbidden" or "[key]" in detail["loc"]
        where = document.where(_written_path(location), key=about_key)
        found = [(where, _worded(shape, location, detail))]
    return [f"{where}: {text}" for where, text in found]


def _written_path(location: KeyPath) -> list[str | int]:
    """Return the path as the file has it: a family's alias and member are one key there."""
    path: list[str | int] = []
    steps = iter(location)
    for step in steps:
        if isinstance(step, str) and "*" in step:
            member = next(steps, None)
            path.extend([] if member is None else [step.replace("*", str(member))])
        else:
            path.append(step)
    return path


#: What was expected, by pydantic's error type; the placeholders are pydantic's context.
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping (lines of `key: value`)",
    "model_type": "a mapping (lines of `key: value`)",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than_equal": "a number of at most {le:g}",
    "string_too_short": "text that is not empty",
    "too_short": "at least {min_length} item(s)",
    "literal_error": "one of {expected}",
}


def _worded(shape: type[Shape], location: KeyPath, detail: ErrorDetails) -> str:
    kind, last = detail["type"], location[-1] if location else ""
    context = detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key {last!r}{did_you_mean(str(last), _known_keys(shape, location))}"
    if kind == "missing":
        return f"the key {last!r} is missing here; it is required"
    if kind not in _EXPECTED:
        return str(detail["msg"])
    written, hint = detail["input"], ""
    if kind == "literal_error" and isinstance(written, str):
        words = re.findall(r"'([^']*)'", str(context["expected"]))
        near = did_you_mean(written, words)
        hint = near if "did you mean" in near else ""
    elif kind == "string_type" and isinstance(written, (bool, NoneType)):
        hint = "; put the text in quotes"
    return f"expected {_EXPECTED[kind].format(**context)}, got {described(written)}{hint}"


def _known_keys(shape: type[Shape], location: KeyPath) -> list[str]:
    inner: Any = shape
    for step in location[:-1]:
        inner = _within(inner, step)
    if not (isinstance(inner, type) and issubclass(inner, Shape)):
        return []
    return [field.alias or name for name, field in inner.model_fields.items()]


def _within(annotation: Any, step: str | int) -> Any:
    """Return the type of what stands at ``step`` inside a value of type ``annotation``."""
    if isinstance(annotation, type) and issubclass(annotation, Shape):
        fields = {field.alias or name: field for name, field in annotation.model_fields.items()}
        return _bare(fields[str(step)].annotation) if str(step) in fields else None
    arguments = get_args(annotation)
    if not arguments:
        return None
    return _bare(arguments[1] if get_origin(annotation) is dict else arguments[0])


def _bare(annotation: Any) -> Any:
    """Return the type inside ``Annotated`` and ``… | None``."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if NoneType in get_args(annotation) and get_origin(annotation) is not Literal:
        return _bare(next(inner for inner in get_args(annotation) if inner is not NoneType))
    return annotation
