"""What a notification says: a title that fits a telephone, and everything else below it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from recon.core.alert_message import Kind, Message
from recon.core.conditions import ConditionName, Severity

_RUNBOOK = "docs/operations.md#{}"
_KINDS = {Kind.BEGUN: "", Kind.WORSE: "worse: ", Kind.REMINDER: "still: ", Kind.ENDED: "over: "}


def notification(messages: Sequence[Message], prefix: str, lake: str) -> tuple[str, str]:
    """Return title and body of one notification that tells all ``messages``."""
    parts = [_title(one) for one in messages]
    said = parts[0] if len(parts) == 1 else f"{len(parts)} alerts: {', '.join(parts)}"
    body = "\n\n".join(_paragraph(one) for one in messages)
    return f"{prefix} {said}".strip(), f"{body}\n\nlake: {lake}"


def is_bad(messages: Sequence[Message]) -> bool:
    """Tell whether something is wrong, and not only over."""
    return any(one.kind is not Kind.ENDED for one in messages)


def runbook(name: ConditionName) -> str:
    """Return where the runbook tells what to do."""
    return _RUNBOOK.format(str(name).replace(" ", "-"))


def _title(message: Message) -> str:
    is_loud = message.severity is Severity.CRITICAL and message.kind is not Kind.ENDED
    return f"{'CRITICAL ' if is_loud else ''}{_KINDS[message.kind]}{message.name}"


def _paragraph(message: Message) -> str:
    if message.kind is Kind.ENDED:
        return f"{_title(message)}\nIt was: {message.words}\nIt began {_shown(message.since)}."
    return (
        f"{_title(message)}\n{message.words}\nNext: {message.next}\n"
        f"Since {_shown(message.since)}. Runbook: {runbook(message.name)}"
    )


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
