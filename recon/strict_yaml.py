"""YAML read strictly: plain values, and the line and column of every key and value.

PyYAML's C parser turns text into events; everything above events is ours, so that no tag, duplicate key,
alias bomb or surprising scalar gets through. Scalars follow YAML 1.2's core schema, narrowed: ``0022300001``,
``NO``, ``12:30``, ``2024-25``, ``2024-01-01``, ``0x1F`` and ``.nan`` are text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from recon.errors import ConfigError

#: Larger files are refused before they are parsed; bulk belongs into catalogs.
MAX_BYTES = 16 * 1024 * 1024
#: Values and keys of one document, every alias counted as often as it is used.
MAX_VALUES = 250_000
#: Values that aliases may add: enough to reuse settings, far too few for a bomb.
MAX_ALIASED_VALUES = 10_000
#: Nesting beyond this is an attack or a mistake; a real inventory needs about eight levels.
MAX_DEPTH = 64

_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")

KeyPath = Sequence[str | int]


class WrittenInt(int):
    """An integer that remembers its text: ``+7`` is 7 where a number is wanted, ``+7`` where text is."""

    written: str


class WrittenFloat(float):
    """A float that remembers its text: ``1e3`` is 1000.0, or ``1e3`` where text is wanted."""

    written: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A position in the file; both count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class _Place:
    """Where a value starts, where its keys stand, and the places of what it holds (nothing, for a scalar)."""

    mark: Mark
    keys: Mapping[str, Mark]
    inner: Mapping[str | int, _Place]


#: Shared by every scalar: a dict each would double the cost of a large file.
_NO_KEYS: Mapping[str, Mark] = MappingProxyType({})
_NO_PLACES: Mapping[str | int, _Place] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Document:
    """One parsed file: its value, and where each part of it was written.

    ``value`` is made of dict (keys are text as written), list, str, bool, None, ``WrittenInt`` and
    ``WrittenFloat``. ``problems`` are errors that left the rest readable (duplicate keys, tags, merge keys):
    a caller must raise them, together with its own.
    """

    name: str
    value: Any
    problems: tuple[str, ...]
    _root: _Place

    def where(self, path: KeyPath = (), *, key: bool = False) -> str:
        """Return ``file:line:column`` of the value at ``path`` (or of its key), or of its nearest parent."""
        place, mark = self._root, self._root.mark
        for depth, step in enumerate(path, start=1):
            inner = place.inner.get(step)
            if inner is None:
                break
            own_key = place.keys.get(str(step))
            place, mark = inner, own_key if key and own_key and depth == len(path) else inner.mark
        return f"{self.name}:{mark.line}:{mark.column}"


@dataclass(slots=True)
class _Anchor:
    """What ``&name`` stands for; ``size`` is its count of values, None while it is still being read."""

    value: Any = None
    place: _Place | None = None
    size: int | None = None


def read_document(path: Path, name: str | None = None) -> Document:
    """Read and parse the file at ``path``; ``name`` is what messages call it (default: the path).

    Raises ``ConfigError`` when it cannot be read or parsed, is too large, too deep or expands too far.
    """
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"{shown}: no such file; check the path (--config, or the key that names it)"
        ) from error
    except OSError as error:
        raise ConfigError(f"{shown}: cannot be read: {error.strerror or error}") from error
    return parse_document(content, shown)


def parse_document(content: bytes, name: str) -> Document:
    """Parse the bytes of one YAML file; see ``read_document`` for what it raises."""
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{name}: larger than {MAX_BYTES // 1024 // 1024} MiB; "
            "keep long lists in a catalog (CSV, Parquet, JSON Lines)",
        )
    text = _decoded(content, name)
    reader = _Reader(text, name)
    try:
        value, place = reader.document()
    except yaml.MarkedYAMLError as error:
        raise ConfigError(_syntax_problem(error, text, name)) from error
    return Document(name, value, tuple(reader.problems), place)


def plain(value: Any) -> Any:
    """Return ``value`` with builtin ints and floats in place of the written ones."""
    if isinstance(value, WrittenInt):
        return int(value)
    if isinstance(value, WrittenFloat):
        return float(value)
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def as_written(value: Any) -> Any:
    """Return the text of a written number, and anything else as it is."""
    return value.written if isinstance(value, (WrittenInt, WrittenFloat)) else value


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        raise ConfigError(f"{_position(before, name)}: not UTF-8 text; save the file as UTF-8") from error
    found = _UNPRINTABLE.search(text)
    if found:
        code = f"U+{ord(found[0]):04X}"
        raise ConfigError(
            f"{_position(text[: found.start()], name)}: control character {code} is not allowed; remove it",
        )
    return text


def _position(before: str, name: str) -> str:
    return f"{name}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


class _Reader:
    """Builds values and places from parser events; one use."""

    def __init__(self, text: str, name: str) -> None:
        self.problems: list[str] = []
        self._name = name
        self._events = yaml.CSafeLoader(text)
        self._anchors: dict[str, _Anchor] = {}
        self._values = 0
        self._aliased = 0

    def document(self) -> tuple[Any, _Place]:
        """Return the only document's value and place (None for an empty file)."""
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None, _Place(Mark(1, 1), _NO_KEYS, _NO_PLACES)
        value, place = self._node(self._next(), 0)
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise self._fatal(event, "a second document starts here; expected one document in the file")
        return value, place

    def _next(self) -> Any:
        return self._events.get_event()

    def _at(self, event: Any) -> Mark:
        return Mark(event.start_mark.line + 1, event.start_mark.column + 1)

    def _message(self, mark: Mark, text: str) -> str:
        return f"{self._name}:{mark.line}:{mark.column}: {text}"

    def _fatal(self, event: Any, text: str) -> ConfigError:
        return ConfigError([*self.problems, self._message(self._at(event), text)])

    def _node(self, event: Any, depth: int) -> tuple[Any, _Place]:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if depth > MAX_DEPTH:
            raise self._fatal(event, f"nested deeper than {MAX_DEPTH} levels")
        before = self._values
        self._count(event, 1)
        if event.tag is not None:
            self.problems.append(
                self._message(self._at(event), "tags (!…) are not allowed; write the plain value")
            )
        anchor = _Anchor()
        if event.anchor:
            self._anchors[event.anchor] = anchor
        value, place = self._content(event, depth)
        anchor.value, anchor.place, anchor.size = value, place, self._values - before
        return value, place

    def _content(self, event: Any, depth: int) -> tuple[Any, _Place]:
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(event, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(event, depth)
        return _scalar(event), _Place(self._at(event), _NO_KEYS, _NO_PLACES)

    def _count(self, event: Any, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            raise self._fatal(
                event,
                f"more than {MAX_VALUES:,} values; keep long lists in a catalog (CSV, Parquet, JSON Lines)",
            )

    def _alias(self, event: Any) -> tuple[Any, _Place]:
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            raise self._fatal(event, f"alias *{event.anchor} has no anchor &{event.anchor} above it")
        if anchor.size is None or anchor.place is None:
            raise self._fatal(
                event, f"alias *{event.anchor} stands inside its own value, which would never end"
            )
        self._aliased += anchor.size
        if self._aliased > MAX_ALIASED_VALUES:
            raise self._fatal(
                event, f"aliases expand to more than {MAX_ALIASED_VALUES:,} values; write them out"
            )
        self._count(event, anchor.size)
        return anchor.value, anchor.place

    def _sequence(self, start: Any, depth: int) -> tuple[list[Any], _Place]:
        values: list[Any] = []
        places: dict[str | int, _Place] = {}
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            value, places[len(values)] = self._node(event, depth + 1)
            values.append(value)
        return values, _Place(self._at(start), _NO_KEYS, places)

    def _mapping(self, start: Any, depth: int) -> tuple[dict[str, Any], _Place]:
        values: dict[str, Any] = {}
        keys: dict[str, Mark] = {}
        places: dict[str | int, _Place] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, mark = self._key(event), self._at(event)
            value, inner = self._node(self._next(), depth + 1)
            if key in values:
                first = keys[key]
                self.problems.append(
                    self._message(
                        mark, f"duplicate key {key!r}; it is first written at line {first.line}, keep one"
                    ),
                )
                continue
            values[key], places[key], keys[key] = value, inner, mark
        return values, _Place(self._at(start), keys, places)

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self._fatal(event, "a key must be plain text")
        self._count(event, 1)
        if event.tag is not None or event.anchor is not None:
            self.problems.append(self._message(self._at(event), "a key takes no tag (!…) and no anchor (&…)"))
        if event.value == "<<" and event.implicit[0]:
            self.problems.append(
                self._message(
                    self._at(event),
                    "merge keys (<<) are not read; write the keys out, or alias a whole value",
                ),
            )
        return str(event.value)


def _scalar(event: Any) -> Any:
    """Return what a scalar stands for; only an unquoted one can be anything but text."""
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    number: WrittenInt | WrittenFloat
    if _INTEGER.fullmatch(text):
        number = WrittenInt(text)
    elif _FLOAT.fullmatch(text) and abs(float(text)) != float("inf") and not text.lstrip("+-").isdigit():
        number = WrittenFloat(text)
    else:
        return text
    number.written = text
    return number


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "not valid YAML"
    if mark is None:
        return f"{name}: {problem}"
    lines = text.splitlines()
    character = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    if character == "\t":
        problem = "a tab cannot stand here; indent with spaces"
    elif "cannot start any token" in problem:
        problem = f"a text cannot start with {character!r} unless it is in quotes"
    elif "mapping values are not allowed" in problem:
        problem = "a second ': ' on one line; put a text that holds one in quotes, or mend the indentation"
    elif error.problem and error.context and error.context_mark is not None:
        problem = f"{problem} ({error.context} from line {error.context_mark.line + 1})"
    return f"{name}:{mark.line + 1}:{mark.column + 1}: {problem}"
