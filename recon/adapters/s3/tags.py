"""Where the tags of one XML page stand, found by numpy without an object per tag."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Positions: of bytes in the page, or of tags among its tags.
Places = npt.NDArray[np.int64]


def places(body: bytes) -> Places:
    """Return where each ``<`` of a page stands."""
    found: Places = (np.frombuffer(body, np.uint8) == ord("<")).nonzero()[0]
    return found


class Tags:
    """Every ``<`` of a page (``at``), with the eight bytes that start there (``names``) as one integer each.

    The page must end with a tag of eight bytes or more, so that every window lies inside it.
    """

    def __init__(self, body: bytes, at: Places) -> None:
        self.body = body
        self.at = at
        windows: npt.NDArray[np.uint64] = np.ndarray((len(body) - 7,), "<u8", body, 0, (1,))
        self.names = windows[at]

    def find(self, tag: bytes) -> Places:
        """Return the positions among the tags where ``tag`` stands (its first eight bytes decide)."""
        return _spell(self.names, tag).nonzero()[0]

    def text(self, element: bytes) -> bytes | None:
        """Return the text of the page's only ``element``; None when there is none, or it is not plain."""
        opening = b"<" + element + b">"
        found = self.find(opening)
        if len(found) != 1:
            return None
        start, stop = self.at[found[0] : found[0] + 2].tolist()
        plain = self.body.startswith(opening, start) and self.body.startswith(b"</" + element + b">", stop)
        text = self.body[start + len(opening) : stop]
        return text if plain and b"&" not in text else None

    def entries(self, element: bytes) -> tuple[Places, Places] | None:
        """Return where each ``element`` opens and closes (positions among the tags); None if out of turn."""
        opens, closes = self.find(b"<" + element + b">"), self.find(b"</" + element + b">")
        in_turn = len(opens) == len(closes) and (opens < closes).all() and (closes[:-1] < opens[1:]).all()
        return (opens, closes) if in_turn else None

    def texts(self, element: bytes, entries: tuple[Places, Places]) -> tuple[Places, Places] | None:
        """Return where the texts of ``element`` start and stop in the page, one in each entry, or None."""
        opens, closes = entries
        if not len(opens):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        opening, closing = b"<" + element + b">", b"</" + element + b">"
        found = self.find(opening)
        if len(found) != len(opens):
            # The same element may stand outside the entries too (the page's own <Prefix>).
            entry = np.searchsorted(opens, found) - 1
            found = found[(entry >= 0) & (found < closes[entry])]
        if len(found) != len(opens) or not ((opens < found) & (found + 1 < closes)).all():
            return None
        if not _spell(self.names[found + 1], closing).all():
            return None
        return self.at[found] + len(opening), self.at[found + 1]


def _spell(names: npt.NDArray[np.uint64], tag: bytes) -> npt.NDArray[np.bool_]:
    """Return which of ``names`` spell ``tag``, or its first eight bytes."""
    wanted = np.uint64(int.from_bytes(tag[:8], "little"))
    shown = names if len(tag) >= 8 else names & np.uint64((1 << (8 * len(tag))) - 1)
    spelled: npt.NDArray[np.bool_] = shown == wanted
    return spelled
