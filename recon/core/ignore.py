"""Ignore patterns: globs over whole keys, as one regex. ``**`` crosses ``/``; ``*`` and ``?`` do not."""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|[^*?]+")
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def ignored(globs: Iterable[str]) -> str | None:
    """Return the regex (Rust and Python syntax) of all keys that match one of ``globs``; None for none."""
    languages = [
        "".join(_MEANING.get(token, re.escape(token)) for token in _TOKENS.findall(glob)) for glob in globs
    ]
    return f"(?s)^(?:{'|'.join(languages)})$" if languages else None
