"""How a record becomes a line: its context, its format, and what is secret left out."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from recon.adapters.logs.context import log_context
from recon.core.log_line import JSON, context_words, of_task, with_context
from recon.core.printable import escaped, printable

Mask = Callable[[str], str]
_NONE: Mapping[str, str] = {}


class ContextFilter(logging.Filter):
    """Puts role, host, cycle, shard and task on every record, of whichever library."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role
        self._host = socket.gethostname()

    def filter(self, record: logging.LogRecord) -> bool:
        """Note where the record comes from; keep it."""
        fields = log_context() or _told_by_celery(record)
        record.role, record.host = self._role, self._host
        record.cycle_id = fields.get("cycle_id", "")
        record.shard_id = fields.get("shard_id", "")
        record.task_id = fields.get("task_id", "")
        record.task = fields.get("task", "")
        record.context = context_words(fields)
        return True


def _told_by_celery(record: logging.LogRecord) -> Mapping[str, str]:
    """Return what Celery's own lines about a task carry; they are written outside of it."""
    data = getattr(record, "data", None)
    if not isinstance(data, Mapping) or "id" not in data:
        return _NONE
    return of_task(str(data.get("name", "")), str(data["id"]))


class TextLines(logging.Formatter):
    """One line a record, and the lines of its exception indented below it; instants in UTC."""

    converter = staticmethod(time.gmtime)
    default_msec_format = "%s.%03dZ"

    def __init__(self, text: str, mask: Mask) -> None:
        super().__init__(with_context(text))
        self._mask = mask

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line; what would break it is escaped."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's lines without secrets."""
        return self._mask(super().format(record).replace("\n", "\n    "))


class JsonLines(logging.Formatter):
    """One JSON object a record."""

    def __init__(self, mask: Mask) -> None:
        super().__init__()
        self._mask = mask

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON without secrets."""
        line = {
            "at": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z",
            "level": record.levelname,
            "logger": record.name,
            "message": self._mask(record.getMessage()),
            **{
                name: getattr(record, name, "") or None
                for name in ("cycle_id", "shard_id", "task_id", "task", "role", "host")
            },
            "pid": os.getpid(),
            "thread": record.threadName,
        }
        if record.exc_info:
            line["exception"] = self._mask(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = self._mask(self.formatStack(record.stack_info))
        return escaped(json.dumps(line, ensure_ascii=False))


def lines(text: str, mask: Mask) -> logging.Formatter:
    """Return what writes lines of a checked format."""
    return JsonLines(mask) if text == JSON else TextLines(text, mask)
