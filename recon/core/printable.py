"""Text from outside on one line: what would break the line, or steer a terminal, is escaped."""

from __future__ import annotations

import json
import re

#: Control characters (C0, DEL, C1), line and paragraph separators, and what stands for undecodable bytes.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def printable(text: str) -> str:
    """Return ``text``, as a JSON string where it holds control characters or starts with ``"``."""
    return json.dumps(text) if text.startswith('"') or _ODD.search(text) else text


def escaped(document: str) -> str:
    """Return a JSON document with each odd character of its strings escaped; its own lines stay."""
    return _ODD.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", document)
