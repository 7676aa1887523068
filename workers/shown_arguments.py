"""What Flower, events and logs show of a task's arguments: the ids of cycles and shards, and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from celery.app.amqp import AMQP

from workers.schedule import HOUSEKEEPING

#: What stands for an argument that is no id: flags hold what people typed.
HIDDEN = "…"
#: A cycle's id, ``20261125T161623-1a7343`` or that of its second attempt, ``…-r1``; and a shard's id.
_ID = re.compile(r"\d{8}T\d{6}-[0-9a-f]{6}(-r\d+)?|[0-9a-f]{16}")


def shown(arguments: Iterable[Any]) -> str:
    """Return arguments as they are shown: ids and numbers, and ``…`` for everything else."""
    return f"({', '.join(map(_shown, arguments))})"


def _shown(argument: Any) -> str:
    if isinstance(argument, str):
        return argument if _ID.fullmatch(argument) else HIDDEN
    return str(argument) if isinstance(argument, int | float) else HIDDEN


class Messages(AMQP):
    """Celery's messages, with what may be shown of their arguments written on them."""

    def as_task_v2(
        self,
        task_id: str,
        name: str,
        args: tuple[Any, ...] | None = None,
        kwargs: dict[str, Any] | None = None,
        *more: Any,
        **options: Any,
    ) -> Any:
        """Return one message; its ``argsrepr`` and ``kwargsrepr`` show ids; housekeeping has no event."""
        options["argsrepr"] = shown(args or ())
        options["kwargsrepr"] = f"{{{HIDDEN}}}" if kwargs else "{}"
        message = super().as_task_v2(task_id, name, args, kwargs, *more, **options)
        return message._replace(sent_event=None) if name in HOUSEKEEPING else message
