"""Path templates: parse ``nba/{season}/{game_id}.json`` into literals and placeholders."""

from __future__ import annotations

import re
from dataclasses import dataclass

from recon.core.invalid import InvalidValueError

_NAME = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True, slots=True)
class Placeholder:
    """``{name}`` or ``{name:spec}``: strftime for times, Python's integer formats for integers."""

    name: str
    spec: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed path template. A strftime spec that holds ``/`` is cut into one placeholder a segment.

    ``parts`` alternates freely between literal text and placeholders; ``segments`` is the same cut at
    every ``/``, so that a key matches only with as many segments.
    """

    text: str
    parts: tuple[str | Placeholder, ...]

    @property
    def segments(self) -> tuple[tuple[str | Placeholder, ...], ...]:
        """Return the parts of each ``/``-separated segment; empty literals are left out."""
        cut: list[list[str | Placeholder]] = [[]]
        for part in self.parts:
            if isinstance(part, Placeholder):
                cut[-1].append(part)
                continue
            head, *rest = part.split("/")
            if head:
                cut[-1].append(head)
            cut.extend([piece] if piece else [] for piece in rest)
        return tuple(tuple(segment) for segment in cut)

    @property
    def literal_prefix(self) -> str:
        """Return the text before the first placeholder (the whole text if there is none)."""
        first = self.parts[0]
        return first if isinstance(first, str) else ""

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """Return the placeholders in order of appearance, repeats included."""
        return tuple(part for part in self.parts if isinstance(part, Placeholder))

    @property
    def names(self) -> tuple[str, ...]:
        """Return the placeholders' names in order of first appearance."""
        return tuple(dict.fromkeys(placeholder.name for placeholder in self.placeholders))


def parse_template(text: str) -> Template:
    """Parse a path template.

    Raises:
        InvalidValueError: Naming the offset, on unbalanced or nested braces, a missing or odd name, an
            empty pattern, or one that starts at a bucket or with ``/`` (keys are relative to the lake).
    """
    if not text:
        raise InvalidValueError("an empty pattern; expected a path such as 'nba/{season}/{game_id}.json'")
    if text.startswith("/") or "://" in text.split("{", 1)[0]:
        raise InvalidValueError(
            f"pattern '{text}' must be relative to the lake: no leading '/', no 's3://bucket/'",
        )
    parts: list[str | Placeholder] = []
    at = 0
    while at < len(text):
        brace = next((i for i in range(at, len(text)) if text[i] in "{}"), len(text))
        if brace > at:
            parts.append(text[at:brace])
        if brace == len(text):
            break
        at = _placeholder_end(text, brace)
        parts.extend(_placeholder_parts(text, text[brace + 1 : at - 1], brace))
    return Template(text, tuple(_merged(parts)))


def _placeholder_end(text: str, brace: int) -> int:
    """Return the offset after the ``}`` that closes the ``{`` at ``brace``."""
    if text[brace] == "}":
        raise InvalidValueError(f"pattern '{text}': '}}' at offset {brace} closes nothing")
    end = next((i for i in range(brace + 1, len(text)) if text[i] in "{}"), None)
    if end is None:
        raise InvalidValueError(f"pattern '{text}': '{{' at offset {brace} is never closed")
    if text[end] == "{":
        raise InvalidValueError(
            f"pattern '{text}': '{{' at offset {end} inside the placeholder at {brace}; "
            "placeholders do not nest and braces cannot be escaped",
        )
    return end + 1


def _placeholder_parts(text: str, inside: str, brace: int) -> list[str | Placeholder]:
    name, _, spec = inside.partition(":")
    if not _NAME.fullmatch(name):
        raise InvalidValueError(
            f"pattern '{text}': '{{{inside}}}' at offset {brace} has "
            + ("no name" if not name else "an odd name")
            + "; expected {name} or {name:format}, a name of letters, digits, '_', '-', '.'",
        )
    if "/" not in spec:
        return [Placeholder(name, spec)]
    if "%" not in spec:
        raise InvalidValueError(f"pattern '{text}': only a strftime format may hold '/', got '{{{inside}}}'")
    parts: list[str | Placeholder] = []
    for number, piece in enumerate(spec.split("/")):
        if number:
            parts.append("/")
        if piece:
            parts.append(Placeholder(name, piece) if "%" in piece else piece)
    return parts


def _merged(parts: list[str | Placeholder]) -> list[str | Placeholder]:
    """Return ``parts`` with neighbouring literals joined."""
    merged: list[str | Placeholder] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged
