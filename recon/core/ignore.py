"""Ignore patterns: globs over whole keys, as one regex.

``**`` crosses ``/``; ``*``, ``?``, ``[abc]`` and ``[!abc]`` stay inside a segment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_TOKENS = re.compile(r"\*\*/|\*\*|\*|\?|\[(?:![^/]|[^!/])[^]/]*\]|[^*?\[]+|\[")
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_MEANING = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def ignored(globs: Iterable[str]) -> str | None:
    """Return the regex (Rust and Python syntax) of all keys that match one of ``globs``; None for none."""
    languages = ["".join(map(_language, _TOKENS.findall(glob))) for glob in globs]
    return f"(?s)^(?:{'|'.join(languages)})$" if languages else None


def _language(token: str) -> str:
    if token in _MEANING:
        return _MEANING[token]
    if len(token) < 3 or token[0] != "[":
        return re.escape(token)
    inverted = token[1] == "!"
    members = token[2 if inverted else 1 : -1]
    pieces = []
    # A dash between two characters means a range, even a backward one that holds nothing; else itself.
    for first, last, single in _MEMBER.findall(members):
        if single:
            pieces.append(re.escape(single))
        elif first <= last:
            pieces.append(f"{re.escape(first)}-{re.escape(last)}")
    if not pieces:
        return "[^/]" if inverted else r"[^\s\S]"
    return f"[^/{''.join(pieces)}]" if inverted else f"[{''.join(pieces)}]"
