"""Who works on a run's cycles: its own crew, or whoever answers on a broker of somebody's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Self

from recon import access
from recon.settings import Settings, child_environment
from workers.crew import Crew
from workers.succession import CREW_ENDS_S, succeed

#: A worker of somebody else's broker may hold messages of others, and needs this long to give them back.
_GIVE_BACK_S = 10.0


class Staff:
    """The workers of one run; those that it started stop when the block ends."""

    def __init__(self, chosen: Settings, say: Callable[[str], None]) -> None:
        self._chosen = chosen
        self._say = say
        self._stack = ExitStack()
        self._crew: Crew | None = None
        self._embedded = chosen.broker is None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            if self._embedded:
                self._attend(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def is_own(self) -> bool:
        """Return whether this run has workers of its own."""
        return self._crew is not None

    @property
    def has_own_broker(self) -> bool:
        """Return whether the broker is this run's to start again."""
        return self._embedded

    def revived(self) -> bool:
        """Start again those of its own that died; return whether any had."""
        return self._crew is not None and self._crew.revived()

    def reinforced(self) -> bool:
        """Start workers of its own where a queue has none that answers; asking takes a second."""
        if self.is_own:
            return False
        from workers.census import consumers  # noqa: PLC0415 - Celery takes 0.2 s to import
        from workers.messages import CONTROL, SCAN  # noqa: PLC0415 - as above

        if {CONTROL, SCAN} <= consumers().keys():
            return False
        log = access.new_workers_log(self._chosen)
        self._say(f"no worker answers: this run starts its own, for itself alone (they write to {log})")
        self._crew = self._stack.enter_context(
            Crew(child_environment(self._chosen), log, give_back_s=_GIVE_BACK_S)
        )
        return True

    def _attend(self, stack: ExitStack) -> None:
        """Start the crew; where nobody else is at work, free what killed runs left behind."""
        attendance = access.attendance(self._chosen)
        stack.callback(attendance.leave)
        # Before the crew starts: its workers would be taken for somebody else's, and wait until this is over.
        alone = attendance.alone(CREW_ENDS_S)
        log = access.new_workers_log(self._chosen)
        self._crew = stack.enter_context(Crew(child_environment(self._chosen), log))
        if alone:
            succeed(access.lookout(self._chosen))
        attendance.join()
