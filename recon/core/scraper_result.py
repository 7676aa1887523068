"""What a consumer left on the list of results, read with suspicion: anybody may have written it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from recon.model import Settlement

#: Longest result that is read; keys of a whole task fit.
RESULT_MAX_BYTES = 256 * 1024
#: Characters of an error or of evidence that are kept.
_TEXT_MAX = 500


@dataclass(frozen=True, slots=True)
class ScraperResult:
    """One result. ``status`` is None for progress; ``keys`` are those it speaks of, None for all."""

    id: str
    status: Settlement | None
    token: str = ""
    keys: tuple[str, ...] | None = None
    error: str = ""
    evidence: str = ""


def read_result(raw: bytes) -> ScraperResult | None:
    """Return a result as it was written; None where it is none."""
    if len(raw) > RESULT_MAX_BYTES:
        return None
    try:
        document = json.loads(raw)
        status = document["status"]
        keys = document.get("keys")
        return ScraperResult(
            str(document["id"]),
            None if status == "progress" else Settlement(status),
            str(document.get("token") or ""),
            None if keys is None else tuple(str(key) for key in keys),
            str(document.get("error") or "")[:_TEXT_MAX],
            str(document.get("evidence") or "")[:_TEXT_MAX],
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
