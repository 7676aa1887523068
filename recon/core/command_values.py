"""Tasks' values in the holes of a command: what each placeholder comes to, or why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recon.core.command_template import DAYS_BACK, FIELDS, FILES, Argument, Hole
from recon.core.days_back import days_back
from recon.core.invalid import InvalidValueError
from recon.core.moments import parse_moment
from recon.core.scraper import Per, Scraper
from recon.core.season_years import NO_SEASON, last_year
from recon.core.task_body import TaskBody


class NoValueError(ValueError):
    """Raised when a task has no usable value for a placeholder; the message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Work:
    """A leased task, or one of its items: the least that a run is for."""

    task: TaskBody
    keys: tuple[str, ...]
    items: tuple[Mapping[str, Any], ...]

    @property
    def size(self) -> int:
        """Return how many items rates count it as."""
        return max(1, len(self.keys))


def words(scraper: Scraper, works: Sequence[Work], now: datetime, files: Mapping[str, str]) -> list[str]:
    """Return the arguments of one run for ``works``, the program first.

    ``files`` are the paths of ``FILES``. Raises ``NoValueError`` where a placeholder has no value.
    """
    found: list[str] = []
    for argument in scraper.command:
        found.extend(_argument(argument, scraper, works, now, files))
    return found


def filled(
    template: Argument, scraper: Scraper, work: Work, now: datetime, quoted: Callable[[str], str]
) -> str:
    """Return one text for one work: each value goes in as ``quoted`` writes it; no list is spread.

    Raises ``NoValueError`` where a placeholder has no value.
    """
    return "".join(
        part if isinstance(part, str) else quoted(_value(part, scraper, [work], now, {})) for part in template
    )


def single(hole: Hole, scraper: Scraper, work: Work) -> str:
    """Return the text of a placeholder that is one value for one work."""
    body = work.task
    if hole.name in FIELDS:
        return _text(hole, body.document.get(hole.name))
    own = _distinct(item.get(hole.name) for item in work.items)
    declared = body.partition.get(hole.name)
    if scraper.per is not Per.ITEM and declared is not None:
        return _text(hole, declared)
    if len(own) > 1:
        raise NoValueError(
            f"{hole} has {len(own)} values in one run; write {{items.{hole.name}:join(,)}}, or per: item"
        )
    return _text(hole, own[0] if own else declared)


def listed(hole: Hole, scraper: Scraper, works: Sequence[Work]) -> list[str]:
    """Return the values of a placeholder that is a list, each once, in the order of the tasks."""
    values = [value for work in works for value in _values(hole, scraper, work)]
    return [_text(hole, value) for value in _distinct(values)]


def _argument(
    argument: Argument, scraper: Scraper, works: Sequence[Work], now: datetime, files: Mapping[str, str]
) -> Iterator[str]:
    spread = next((part for part in argument if isinstance(part, Hole) and part.spread), None)
    whole = [
        part if isinstance(part, str) else "" if part is spread else _value(part, scraper, works, now, files)
        for part in argument
    ]
    if spread is None:
        yield "".join(whole)
        return
    place = argument.index(spread)
    for value in listed(spread, scraper, works):
        yield "".join([*whole[:place], value, *whole[place + 1 :]])


def _value(
    hole: Hole, scraper: Scraper, works: Sequence[Work], now: datetime, files: Mapping[str, str]
) -> str:
    if hole.name in FILES:
        if hole.name == "keys_file" and not all(work.keys for work in works):
            raise NoValueError(f"{hole}: the task names no keys (its data type is counted)")
        return files[hole.name]
    if hole.name == DAYS_BACK:
        try:
            return str(max(days_back(work.task, work.items, now, scraper.days_back_max) for work in works))
        except InvalidValueError as error:
            raise NoValueError(f"{hole}: {error.message}") from error
    if hole.is_list:
        return _joined(hole, listed(hole, scraper, works))
    texts = _distinct(single(hole, scraper, work) for work in works)
    if len(texts) > 1:
        raise NoValueError(f"{hole} has {len(texts)} values in one run")
    return str(texts[0])


def _joined(hole: Hole, texts: Sequence[str]) -> str:
    glue = hole.glue or ""
    if not texts:
        raise NoValueError(f"{hole} has no value")
    joined = glue.join(texts)
    if joined.split(glue) != list(texts):
        odd = next((text for text in texts if glue in text), texts[0])
        raise NoValueError(
            f"{hole}: {odd!r} holds the separator {glue!r}; write {{{hole.name}...}} or another separator"
        )
    return joined


def _values(hole: Hole, scraper: Scraper, work: Work) -> list[Any]:
    """Return one work's values of a list, which are none only for ``args``."""
    body = work.task
    if hole.name == "args":
        return [str(text) for text in body.document.get("args") or ()]
    if hole.name == "keys":
        values: Sequence[Any] = work.keys
        why = "the task names no keys (its data type is counted)"
    elif hole.family == "map":
        values = scraper.mapped(hole.member, body.source, body.data_type)
        why = f"map.{hole.member} does not name {body.data_type}"
    else:
        values = [item[hole.member] for item in work.items if item.get(hole.member) is not None]
        values = values or [text for name, text in body.partition.items() if name == hole.member]
        why = f"neither the items nor the partition of {body.source}.{body.data_type} have it"
    if not values:
        raise NoValueError(f"{hole} has no value: {why}")
    return list(values)


def _text(hole: Hole, value: Any) -> str:
    if value is None or value == "":
        raise NoValueError(f"{hole} has no value")
    text = _formatted(hole, value)
    if "\0" in text:
        raise NoValueError(f"{hole}: {text!r} holds a NUL character, which no argument can")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise NoValueError(f"{hole}: {text!r} is no UTF-8") from error
    return text


def _formatted(hole: Hole, value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    form = hole.form
    if not form:
        return text
    if form in {"start_year", "end_year"}:
        year = last_year(text)
        if year == NO_SEASON:
            raise NoValueError(f"{{{hole.name}:{form}}}: {text!r} is no season such as 2024-25")
        return str(year - 1 if form == "start_year" else year)
    try:
        return parse_moment(value).at.strftime(form) if "%" in form else format(int(text), form)
    except (InvalidValueError, ValueError) as error:
        wanted = "date" if "%" in form else "whole number"
        raise NoValueError(f"{{{hole.name}:{form}}}: {text!r} is no {wanted}") from error


def _distinct(values: Iterator[Any] | Sequence[Any]) -> list[Any]:
    return list(dict.fromkeys(value for value in values if value is not None))
