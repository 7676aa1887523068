"""What a line of the logs says beside its message: its format, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recon.core.invalid import InvalidValueError, did_you_mean
from recon.core.printable import printable

#: The format that writes one JSON object a line.
JSON = "json"
#: Where a line comes from, as far as it comes from a cycle.
CONTEXT = ("cycle_id", "shard_id", "task_id")
#: What a %-format may name, with a value of each one's kind.
_SAMPLES: Mapping[str, Any] = {
    **dict.fromkeys(("message", "asctime", "name", "levelname", "pathname", "filename", "module"), ""),
    **dict.fromkeys(("funcName", "threadName", "processName", "taskName", "role", "host", "context"), ""),
    **dict.fromkeys(CONTEXT, ""),
    **dict.fromkeys(("levelno", "lineno", "thread", "process"), 0),
    **dict.fromkeys(("created", "msecs", "relativeCreated"), 0.0),
}
#: What the names of tasks that look at one shard begin with.
_SCAN = "recon.scan_shard"
_MESSAGE = "%(message)s"
_EXAMPLE = '"%(asctime)s - %(name)s - %(levelname)s - %(message)s", or json'


def checked_format(text: str) -> str:
    """Return a format that lines can be written in: ``json``, or one of logging's %-formats.

    Raises:
        InvalidValueError: It names a field that no line has, or leaves the message out.
    """
    if text == JSON:
        return text
    try:
        _ = text % _SAMPLES
    except KeyError as error:
        name = str(error.args[0])
        raise InvalidValueError(
            f"a line has no field {printable(name)}{did_you_mean(name, _SAMPLES)}; expected {_EXAMPLE}"
        ) from error
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"no %-format of logging: {error}; expected {_EXAMPLE}") from error
    if _MESSAGE not in text:
        raise InvalidValueError(f"lines would not hold their message; expected {_EXAMPLE}")
    return text


def with_context(text: str) -> str:
    """Return a %-format whose lines tell cycle, shard and task, where it names none of them itself."""
    if any(f"%({name})" in text for name in (*CONTEXT, "context")):
        return text
    return text.replace(_MESSAGE, f"{_MESSAGE}%(context)s", 1)


def context_words(fields: Mapping[str, str]) -> str:
    """Return `` [cycle=… shard=… task=…]`` with what is known; nothing where nothing is."""
    known = [f"{name.removesuffix('_id')}={fields[name]}" for name in CONTEXT if fields.get(name)]
    return f" [{' '.join(known)}]" if known else ""


def of_task(name: str, task_id: str) -> dict[str, str]:
    """Return what the id of a task called ``name`` tells: ``<cycle>:<shard or step>[:<which time>]``."""
    cycle_id, *steps = task_id.split(":")
    told = {"task": name, "task_id": task_id}
    if steps:
        told["cycle_id"] = cycle_id
    if steps and name.startswith(_SCAN):
        told["shard_id"] = steps[0]
    return told
