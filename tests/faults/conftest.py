"""Installations that the slow fault tests break."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from installation import CONTROL, GONE, SCAN, Site, site_in, with_children

#: Filled, and gone, after the first cycle.
FILLED, LOST = min(GONE), "box/001.json"
TRUTH = (GONE - {FILLED}) | {LOST}


class BusySite(Site):
    """A site whose engine has had one cycle, and a lake that changed since.

    What exits is started again, as by `recon daemon` or systemd: Celery's workers give up when Redis refuses
    to take what they write.
    """

    scan = None

    def wait_for(self, what: Callable[[], object], patience_s: float = 60) -> None:
        def supervised() -> object:
            for process in [one for one in self.processes if one.poll() is not None]:
                self.processes.remove(process)
                with_children(process, signal.SIGKILL)
                self.start(*process.args[2:])
            return what()

        super().wait_for(supervised, patience_s)

    def begin(self) -> None:
        self.start(*CONTROL)
        self.scan = self.start(*SCAN)
        self.beat()
        self.wait_for(lambda: self.reports() and self.settled())
        assert self.queued() == GONE
        (self.folder / "lake" / FILLED).write_text("x")
        (self.folder / "lake" / LOST).unlink()

    def hold(self) -> None:
        """Begin a cycle whose shards wait for a scan worker that stands still."""
        with_children(self.scan, signal.SIGSTOP)
        self.scheduled_cycle(0.001)
        plans = self.folder / ".recon/cycles"
        self.wait_for(lambda: len(list(plans.glob("*/timings.json"))) > len(self.reports()))

    def go_on(self) -> None:
        with_children(self.scan, signal.SIGCONT)

    def heals(self) -> None:
        """Within two cycles, the queues hold the truth."""
        self.wait_for(lambda: self.settled() and self.queued() in (GONE, TRUTH), 150)
        assert all(report["tasks"]["published"] in (0, 1, len(GONE)) for report in self.reports())
        for _ in range(2):
            so_far = len(self.reports())
            self.scheduled_cycle(0.001)
            self.wait_for(lambda: len(self.reports()) > so_far and self.settled(), 150)  # noqa: B023
        assert self.queued() == TRUTH
        assert self.reports()[-1]["verdicts"]["missing"] == len(TRUTH)
        assert self.reports()[-1]["tasks"]["published"] == 0


@pytest.fixture
def busy(tmp_path):
    with site_in(tmp_path) as made:
        made.__class__ = BusySite
        made.begin()
        yield made
