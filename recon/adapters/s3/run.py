"""A page whose entries all have the same tags, as most have: one look at the first entry serves for all."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from recon.adapters.s3.tags import Places

#: What stands around the entries of a page; more than this is no plain page.
_OUTSIDE_MAX_BYTES = 16_384
_COUNT = re.compile(rb"<KeyCount>([0-9]{1,9})</KeyCount>")
#: Tags that follow each other with no text between them.
_TAGS = re.compile(rb"(?:<[^<>]*>)+")


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Entries alike: ``rows`` holds where each one's tags stand in the page, ``entry`` is the first of them.

    ``outside`` is the page without its entries.
    """

    rows: Places
    entry: bytes
    outside: bytes

    @property
    def count(self) -> int:
        """Return how many entries there are."""
        return len(self.rows)

    def text(self, element: bytes) -> bytes | None:
        """Return the text of the only ``element`` outside; None when there is none, or it is not plain."""
        found = _only(self.outside, element)
        if found is None:
            return None
        text = self.outside[found[0] : found[1]]
        return text if b"&" not in text else None

    def texts(self, element: bytes) -> tuple[Places, Places] | None:
        """Return where the texts of ``element`` start and stop in the page, one in each entry, or None."""
        found = _only(self.entry, element)
        if found is None:
            return None
        tag = self.entry.count(b"<", 0, found[0]) - 1
        return self.rows[:, tag] + len(element) + 2, self.rows[:, tag + 1]


def run(body: bytes, at: Places) -> Run | None:
    """Return the entries of a page by the places of its ``<``; None when they are not plainly alike.

    All of a page's entries are in it: as many as its KeyCount says, and none is left outside.
    """
    first = body.find(b"<Contents>")
    second = body.find(b"<Contents>", first + 1)
    behind = max(0, len(body) - _OUTSIDE_MAX_BYTES)
    said = _COUNT.search(body, 0, max(0, first)) or _COUNT.search(body, behind)
    if first < 0 or second < 0 or said is None:
        return None
    start, following = np.searchsorted(at, [first, second]).tolist()
    end = start + int(said[1]) * (following - start)
    if end >= len(at) or len(body) - at[end] + first > _OUTSIDE_MAX_BYTES:
        return None
    found = Run(
        at[start:end].reshape(-1, following - start), body[first:second], body[:first] + body[at[end] :]
    )
    return found if _is_plain(found) and _are_alike(body, found) else None


def _is_plain(found: Run) -> bool:
    """Tell whether the entries are all there is, and each is one; CDATA changes what tags mean."""
    around = found.outside
    return (
        b"<!" not in around
        and b"<!" not in found.entry
        and b"<Contents" not in around
        and b"<CommonPrefixes" not in around
        and found.entry.rstrip().endswith(b"</Contents>")
        and found.entry.count(b"</Contents>") == 1
    )


def _are_alike(body: bytes, found: Run) -> bool:
    """Tell whether every entry has the first one's tags, byte for byte, and only texts differ."""
    tags = 0
    for chain in _TAGS.finditer(found.entry):
        width, at = chain.end() - chain.start(), found.rows[:, tags]
        if at[-1] + width > len(body):
            return False
        windows = np.ndarray((len(body) - width + 1,), f"V{width}", body, 0, (1,))
        if windows[at].tobytes() != chain[0] * len(at):
            return False
        tags += chain[0].count(b"<")
    return tags == len(found.rows[0])


def _only(xml: bytes, element: bytes) -> tuple[int, int] | None:
    """Return where the text of the only ``element`` of ``xml`` starts and stops, or None."""
    opening = b"<" + element + b">"
    start = xml.find(opening) + len(opening)
    stop = xml.find(b"<", start)
    once = xml.find(opening, start) < 0 and start >= len(opening)
    return (start, stop) if once and xml.startswith(b"</" + element + b">", stop) else None
