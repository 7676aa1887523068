"""Which leased tasks a worker has, what their runs have said, and how each of them ends."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from recon.core.run_outcome import Claims, Ended, Verdict, claim, verdict
from recon.core.runs import Run
from recon.core.tally import Tally
from recon.core.task_body import TaskBody
from recon.lease_keeper import LeaseKeeper
from recon.model import Lease, Settlement
from recon.ports import Leases
from recon.queue_line import QueueLine


@dataclass(slots=True)
class Assignment:
    """A leased task in work: how many of its runs are still open, and what the others said.

    ``gone`` says how its lease was taken away: lost, or cancelled.
    """

    lease: Lease
    body: TaskBody
    scraper: str
    open_runs: int
    claims: Claims = field(default_factory=Claims)
    gone: str = ""


class WorkBook:
    """Settles or releases every task that it was given, and tells the queue so until it has heard it."""

    def __init__(
        self, leases: Leases, keeper: LeaseKeeper, line: QueueLine, tally: Tally, say: Callable[[str], None]
    ) -> None:
        self._leases = leases
        self._keeper = keeper
        self._line = line
        self._tally = tally
        self._say = say
        self._assigned: dict[str, Assignment] = {}
        self._unsaid: deque[tuple[Sequence[Lease], Callable[[], object]]] = deque()

    @property
    def is_closed(self) -> bool:
        """Tell whether nothing is in work, and the queue has heard everything."""
        return not self._assigned and not self._unsaid

    def assign(self, lease: Lease, body: TaskBody, scraper: str, open_runs: int) -> None:
        """Take on a task that so many runs are for."""
        self._assigned[lease.id] = Assignment(lease, body, scraper, open_runs)

    def ended(self, run: Run, ended: Ended) -> None:
        """Note what a run said of its tasks, and settle those that it was the last for."""
        for task_id in run.task_ids:
            claim(self._assigned[task_id].claims, run, task_id, ended)
        self._less(run)

    def dropped(self, run: Run) -> None:
        """Note that a run will not be started: what its tasks come to without it is not all of them."""
        for task_id in run.task_ids:
            self._assigned[task_id].claims.unfinished = True
        self._less(run)

    def held(self, task_id: str) -> Lease | None:
        """Return the lease that a task is in work under, if it is."""
        assignment = self._assigned.get(task_id)
        return None if assignment is None else assignment.lease

    def gone(self, lease: Lease, how: str) -> bool:
        """Note that a lease was taken away; return whether its task was in work."""
        if self.held(lease.id) != lease:
            return False
        self._assigned[lease.id].gone = how
        return True

    def is_void(self, run: Run) -> bool:
        """Tell whether no task of a run is ours any more."""
        return all(self._assigned[task_id].gone for task_id in run.task_ids)

    def poison(self, lease: Lease, scraper: str) -> None:
        """Settle a task that nobody can read."""
        self._tally.of(scraper).poison += 1
        words = "its body is no task of version 1"
        self._tell([lease], partial(self._leases.settle, lease, Settlement.POISON, error=words))

    def release(self, leases: Sequence[Lease], *, delay_s: float = 0.0) -> None:
        """Give tasks back, in their order, to be ready again after ``delay_s``."""
        if leases:
            # Each is put first in its list.
            self._tell(leases, partial(self._leases.release, leases[::-1], delay_s=delay_s))

    def tell_again(self) -> None:
        """Say what the queue has not heard yet."""
        for _ in range(len(self._unsaid)):
            self._tell(*self._unsaid.popleft())

    def left(self) -> list[Lease]:
        """Return the leases that are still in work."""
        return [assignment.lease for assignment in self._assigned.values()]

    def _less(self, run: Run) -> None:
        for task_id in run.task_ids:
            assignment = self._assigned[task_id]
            assignment.open_runs -= 1
            if not assignment.open_runs:
                del self._assigned[task_id]
                self._conclude(assignment)

    def _conclude(self, assignment: Assignment) -> None:
        counts = self._tally.of(assignment.scraper)
        found = verdict(assignment.claims, assignment.body.keys)
        if assignment.gone == "lost":
            counts.gone += 1
        elif assignment.gone:
            counts.gone += 1
            self.release([assignment.lease])
        elif found is None:
            counts.released += 1
            self.release([assignment.lease])
        else:
            setattr(counts, found.status.value, getattr(counts, found.status.value) + 1)
            if found.status is Settlement.DONE:
                counts.keys += len(assignment.body.keys if found.keys is None else found.keys)
            self._tell([assignment.lease], partial(self._settled, assignment, found))

    def _settled(self, assignment: Assignment, found: Verdict) -> str:
        is_absent = found.status is Settlement.ABSENT
        answer = self._leases.settle(
            assignment.lease,
            found.status,
            keys=found.keys,
            error="" if is_absent else found.words,
            evidence=found.words if is_absent else "",
        )
        if answer not in {"settled", "repeated"}:
            self._say(f"{assignment.scraper}: task {assignment.lease.id} was {answer} when it was settled")
        return answer

    def _tell(self, leases: Sequence[Lease], call: Callable[[], object]) -> None:
        if self._line.tried(call) is None:
            self._unsaid.append((leases, call))
        else:
            self._keeper.remove(leases)
