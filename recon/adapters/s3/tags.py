"""Where the tags of one XML page stand, found by numpy without an object per tag."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Positions: of bytes in the page, or of tags among its tags.
Places = npt.NDArray[np.int64]

#: Up to this many tags outside the run of equal entries, they are told apart one by one.
_FEW = 200


class Tags:
    """Every ``<`` of a page (``at``), with the eight bytes that start there (``names``) as one integer each.

    Most pages are one run of entries with the same tags; then only the first entry's are searched. The page
    must end with a tag of eight bytes or more, so that every window lies inside it.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at: Places = (np.frombuffer(body, np.uint8) == ord("<")).nonzero()[0]
        windows: npt.NDArray[np.uint64] = np.ndarray((len(body) - 7,), "<u8", body, 0, (1,))
        self.names = windows[self.at]
        self._first, self._period, self._count = self._run()
        end = self._first + self._period
        skipped = self._period * (self._count - 1)
        self._few: list[bytes] | None = None
        if len(self.at) - skipped <= _FEW:
            kept = np.concatenate((self.at[:end], self.at[end + skipped :])).tolist()
            self._few = [body[place : place + 8] for place in kept]

    def find(self, tag: bytes) -> Places:
        """Return the positions among the tags where ``tag`` stands (its first eight bytes decide)."""
        if self._few is None:
            return _spell(self.names, tag).nonzero()[0]
        hits = [place for place, name in enumerate(self._few) if name.startswith(tag[:8])]
        skipped, end = self._period * (self._count - 1), self._first + self._period
        inside = [place for place in hits if self._first <= place < end]
        if not inside:
            return np.array([place if place < end else place + skipped for place in hits], np.int64)
        rows = np.arange(0, skipped + 1, self._period).reshape(-1, 1)
        before = [place for place in hits if place < self._first]
        after = [place + skipped for place in hits if place >= end]
        return np.concatenate(
            (np.array(before, np.int64), (rows + inside).ravel(), np.array(after, np.int64))
        )

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

    def _run(self) -> tuple[int, int, int]:
        """Return the first tag of the first run of equal ``<Contents>``, how many tags each has, how many."""
        first = self.body.find(b"<Contents>")
        second = self.body.find(b"<Contents>", first + 1)
        if first < 0 or second < 0:
            return 0, 0, 1
        start, following = np.searchsorted(self.at, [first, second]).tolist()
        period = following - start
        count = (len(self.at) - start) // period
        rows = self.names[start : start + count * period].reshape(count, period)
        same = (rows == rows[0]).all(axis=1)
        return start, period, count if same.all() else int(same.argmin())


def _spell(names: npt.NDArray[np.uint64], tag: bytes) -> npt.NDArray[np.bool_]:
    """Return which of ``names`` spell ``tag``, or its first eight bytes."""
    wanted = np.uint64(int.from_bytes(tag[:8], "little"))
    shown = names if len(tag) >= 8 else names & np.uint64((1 << (8 * len(tag))) - 1)
    spelled: npt.NDArray[np.bool_] = shown == wanted
    return spelled
