"""The error of core's parsers, before a file and a line are known, and the hint for misspelled names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class InvalidValueError(ValueError):
    """Raised when a declared value cannot be used as it stands.

    ``path`` leads from the value that was handed in to the culprit (keys and list indices); an adapter
    turns it into ``file:line:column``.
    """

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        self.message = message
        self.path = path
        super().__init__(message)

    def under(self, *steps: str | int) -> InvalidValueError:
        """Return the same problem as seen from ``steps`` further up."""
        return InvalidValueError(self.message, (*steps, *self.path))


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest of ``options``, a short list of them, or ''."""
    known = list(options)
    close = get_close_matches(name.lower(), [option.lower() for option in known], n=1, cutoff=0.6)
    if close:
        best = next(option for option in known if option.lower() == close[0])
        return f"; did you mean '{best}'?"
    return f"; expected one of: {', '.join(known)}" if 0 < len(known) <= 8 else ""


def shown(value: object) -> str:
    """Return a declared value as its file has it, for "… is no season"."""
    if value is None:
        return "null"
    return f"'{str(value).lower()}'" if isinstance(value, bool) else f"'{value}'"
