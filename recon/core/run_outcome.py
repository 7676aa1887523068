"""How a run ended, and what that claims of each task it was for."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from recon.core.runs import Run
from recon.model import Settlement

#: What a line of ``{result_file}`` may say of a key.
_STATUSES = {"done": Settlement.DONE, "absent": Settlement.ABSENT, "failed": Settlement.FAILED}
#: Of a task that came to several statuses, the first of these is told: what is left is wanted again.
_ORDER = (Settlement.DONE, Settlement.ABSENT, Settlement.FAILED)
#: Characters of an error or of evidence in a result: what the engine keeps of it.
WORDS_MAX = 500


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that is over: its exit status (negative: the signal), and the end of what it wrote.

    ``stopped`` tells that recon stopped it for its own reasons, ``timed_out`` that it took too long.
    ``results`` are the lines of its result file.
    """

    status: int
    timeout_s: float
    stopped: bool = False
    timed_out: bool = False
    tail: str = ""
    results: str = ""

    @property
    def how(self) -> str:
        """Return how it ended, in words."""
        if self.timed_out:
            return f"timed out after {self.timeout_s:g} s"
        return f"killed by {_signal_name(-self.status)}" if self.status < 0 else f"exit status {self.status}"

    @property
    def brief(self) -> str:
        """Return how it ended, with the last line that it wrote."""
        lines = self.tail.strip().splitlines()
        return f"{self.how}: {lines[-1][:200]}" if lines else self.how

    @property
    def words(self) -> str:
        """Return how it ended, with the end of what it wrote."""
        how = self.how
        tail = self.tail.strip()[-WORDS_MAX + len(how) + 2 :]
        return f"{how}: {tail}" if tail else how


@dataclass(frozen=True, slots=True)
class KeyClaim:
    """What a scraper says of one key."""

    status: Settlement
    words: str = ""


@dataclass(slots=True)
class Claims:
    """What the runs of one task have said so far; ``unfinished`` tells that one of them was stopped."""

    keys: dict[str, KeyClaim] = field(default_factory=dict)
    whole: list[KeyClaim] = field(default_factory=list)
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to settle a task with; ``keys`` None stands for all of them."""

    status: Settlement
    keys: tuple[str, ...] | None
    words: str = ""


def claim(claims: Claims, run: Run, task_id: str, ended: Ended) -> None:
    """Add to a task's claims what one of its runs, now ended, says.

    The exit status speaks for the keys that the result file does not name.
    """
    said = key_claims(ended.results)
    succeeded = ended.status == 0 and not ended.timed_out
    rest = KeyClaim(Settlement.DONE) if succeeded else KeyClaim(Settlement.FAILED, ended.words)
    for work in run.works:
        if work.task.id != task_id:
            continue
        told = {key: said[key] for key in work.keys if key in said}
        claims.keys.update(told)
        if ended.stopped:
            claims.unfinished = claims.unfinished or not work.keys or len(told) < len(work.keys)
        elif work.keys:
            claims.keys.update({key: rest for key in work.keys if key not in told})
        else:
            claims.whole.append(said.get("", rest))


def verdict(claims: Claims, keys: Sequence[str]) -> Verdict | None:
    """Return what a task's claims come to; None where nothing was finished: give it back."""
    said: Iterable[KeyClaim] = [*claims.keys.values(), *claims.whole]
    for status in _ORDER:
        words = next((one.words for one in said if one.status is status and one.words), "")
        if any(one.status is status for one in said):
            if status is Settlement.FAILED and claims.unfinished:
                return None
            named = tuple(key for key in keys if key in claims.keys and claims.keys[key].status is status)
            failed = next((one.words for one in said if one.status is Settlement.FAILED and one.words), "")
            return Verdict(status, None if len(named) == len(keys) else named, words or failed)
    return None


def key_claims(lines: str) -> Mapping[str, KeyClaim]:
    """Return what a result file says, by key; lines that say nothing of the kind are passed over.

    A line without ``key`` speaks for a task that names none.
    """
    found: dict[str, KeyClaim] = {}
    for line in lines.splitlines():
        try:
            said = json.loads(line)
            status, key = _STATUSES[said["status"]], said.get("key", "")
            words = said.get("evidence") if status is Settlement.ABSENT else said.get("error")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
        if isinstance(key, str):
            found[key] = KeyClaim(status, str(words or "")[:WORDS_MAX])
    return found


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
