"""What a server does with a listing, found out by asking, before ranges are trusted to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from recon.adapters.s3.client import Answer
from recon.adapters.s3.page import ListPage
from recon.adapters.s3.told_time import told_time
from recon.core.texts import values

#: Asks for one page by query parameters beside the lake's prefix.
Ask = Callable[[dict[str, bytes]], tuple[ListPage, Answer]]

#: Where in the first page ranges are tried to begin, in parts of its length.
_PLACES = (0.0, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found: ``keys`` seen, and whether they came in byte order and StartAfter was honoured.

    Both are True for an empty lake (nothing speaks against it). ``skew_s`` is this host's clock minus the
    server's, in seconds (HTTP Date: whole ones); None where the server gives none. ``detail`` says what was
    wrong.
    """

    keys: int
    ordered: bool
    start_after: bool
    requests: int
    server: str
    skew_s: float | None
    detail: str = ""

    @property
    def may_split(self) -> bool:
        """Return whether a prefix may be cut into ranges at this server."""
        return self.ordered and self.start_after


def probe(ask: Ask) -> Probe:
    """Return what a few small listings show; raise ``LakeError`` where the lake cannot be listed at all."""
    first, answer = ask({"max-keys": b"1000"})
    told = told_time(answer.headers)
    skew_s = None if told is None else (datetime.now(UTC) - told).total_seconds()
    keys = values(first.keys)
    ordered, detail = True, ""
    if any(later <= earlier for earlier, later in pairwise(keys)):
        ordered, detail = False, "keys do not come in byte order"
    requests = answer.requests
    for start in _starts(keys) if ordered else ():
        page, found = ask({"start-after": start, "max-keys": b"1000"})
        requests += found.requests
        detail = _wrong(start, keys, values(page.keys))
        if detail:
            break
    return Probe(
        keys=len(keys),
        ordered=ordered,
        start_after=not ordered or not detail,
        requests=requests,
        server=answer.headers.get("server", ""),
        skew_s=skew_s,
        detail=detail,
    )


def _starts(keys: list[bytes]) -> list[bytes]:
    """Return where to begin: at keys that are there, and just below them, where none is."""
    at = [keys[int(part * (len(keys) - 1))] for part in _PLACES] if keys else []
    return list(dict.fromkeys([*at, *(key[:-1] for key in at if key[:-1])]))


def _wrong(start: bytes, keys: list[bytes], got: list[bytes]) -> str:
    """Return what contradicts StartAfter: keys up to ``start``, or known keys above it left out, or ''."""
    if any(key <= start for key in got):
        return f"StartAfter {start!r} returned keys that are not above it"
    seen = set(got)
    lost = [key for key in keys if start < key and key not in seen and (not got or key < got[-1])]
    # One key may have been deleted while this looked; a server that loses keys loses many, or all.
    if len(lost) > 1 or (lost and not got):
        return f"StartAfter {start!r} leaves out {len(lost)} keys, {lost[0]!r} first"
    return ""
