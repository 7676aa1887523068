"""One thing to tell somebody: what of which condition."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from recon.core.conditions import ConditionName, Severity


class Kind(StrEnum):
    """What a message says of its condition."""

    BEGUN = "begun"
    WORSE = "worse"
    REMINDER = "still"
    ENDED = "over"


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell: of which condition, since when it holds, and when this was said."""

    kind: Kind
    name: ConditionName
    severity: Severity
    words: str
    next: str
    since: datetime
    at: datetime
