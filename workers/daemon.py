"""``recon daemon``: the engine as one process tree: broker, control worker, scan worker, beat, web.

The broker of a configuration that names none is started, watched and stopped here. What dies is started
again. SIGHUP reads the configuration again; a wrong one changes nothing. Stopping takes ten seconds at most:
what was under way is taken up by the next start, under the same names.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import NoReturn

from recon import access
from recon.errors import ConfigError, CycleLockedError, ReconError
from recon.settings import Settings, child_environment, flower_users, load_settings
from workers import flower
from workers.nursery import born
from workers.succession import CREW_ENDS_S, forsake
from workers.supervisor import Role, Supervisor

#: Seconds between two looks at the processes, and at the embedded broker.
_LOOK_S, _BROKER_S = 1.0, 5.0
#: Seconds for all processes to stop, and for one that works: it ends what it does within them, or is killed.
_STOP_S, _WORKER_S = 8.0, 5.0
#: Seconds that checking a configuration may take.
CHECK_S = 120.0
_CONTROL = Role("control worker", ("-m", "workers.member", "recon.control"), _WORKER_S)
_SCAN = Role("scan worker", ("-m", "workers.member", "recon.scan"), _WORKER_S)
_BEAT = Role("beat", ("-m", "workers.beat"), 1.0)
_WEB = Role("web", ("-m", "workers.serving"), 2.0)
_WEB_WITH_FLOWER = Role("web", (*_WEB.words, f"http://{flower.ADDRESS}:{flower.PORT}/"), 2.0)
_FLOWER = Role("flower", ("-m", "workers.flower"), 2.0)
#: What sends out again what an open cycle waits for, and the seconds that it may take.
_RESUMPTION, _RESUMED_S = ("-m", "workers.resumption"), 10.0
#: Seconds between two times that a scan worker's death has it done: as long as the watchdog waits.
_RESUME_AGAIN_S = 300.0
#: Nothing new is begun before what is under way is asked to end.
_STOP_ORDER = (_BEAT.name,)
_ENDINGS = (signal.SIGINT, signal.SIGTERM)


class DaemonRunsError(ReconError):
    """Raised when another daemon runs over the same embedded broker."""

    exit_code = CycleLockedError.exit_code


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """The command's flags; None leaves a thing to the configuration."""

    config: Path | None = None
    interval_s: float | None = None
    dry_run: bool | None = None
    flower: bool = False

    def read(self, config: Path | None = None, *, copy: Path | None = None) -> Settings:
        """Return the settings, flags over file; ``config`` instead of the flag's own, read from ``copy``."""
        return load_settings(
            config or self.config, interval_s=self.interval_s, dry_run=self.dry_run, copy=copy
        )


class Daemon:
    """One engine that runs until it is told to stop."""

    def __init__(
        self, options: DaemonOptions, say: Callable[[str], None], *, check_s: float = CHECK_S
    ) -> None:
        self._options = options
        self._say = say
        self._check_s = check_s
        self._settings = options.read()
        self._supervisor: Supervisor | None = None
        self._resume_after = 0.0
        self._signals: list[int] = []
        self._ending = False
        self._woken = Event()

    def run(self) -> None:
        """Run the engine until a signal ends it.

        Raises:
            ConfigError: The configuration is wrong.
            DaemonRunsError: Another one runs over the same embedded broker.
            BrokerError: The broker cannot be started.
        """
        if self._options.flower and flower_users() is None:
            raise ConfigError(flower.OPEN)
        with ExitStack() as stack:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="recon-"))) / "recon.yaml"
            self._settings = self._copied(copy)
            stack.enter_context(self._handlers())
            if self._settings.broker is None:
                stack.enter_context(self._own_broker())
            stack.callback(self._stop)
            self._take_up(copy)
            self._watch(copy)

    def _take_up(self, copy: Path) -> None:
        """Start the processes by the settings, which they read from ``copy``."""
        environment = child_environment(self._settings, copy=copy)
        self._supervisor = Supervisor(_roles(self._options), environment, self._say, born)
        self._supervisor.start()
        self._resume(copy)
        self._announce()

    def _copied(self, copy: Path) -> Settings:
        """Copy the configuration, and return what the copy says once it is checked.

        The file itself may change meanwhile; what is wrong is told of the file.
        """
        path = self._settings.config_path
        try:
            shutil.copyfile(path, copy)
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
        found = self._options.read(path, copy=copy)
        _check(found, copy, self._check_s)
        return found

    def _announce(self) -> None:
        every_s = access.interval_s(self._settings)
        if every_s is None:
            self._say(
                "no cycle is scheduled: reconciliation_loop.enabled is false, and no --interval is given"
            )
        else:
            dry = ", dry" if self._settings.dry_run.enabled else ""
            self._say(f"a cycle every {_duration(every_s)}{dry}; lake {self._settings.lake}")

    def _watch(self, copy: Path) -> None:
        look_at = 0.0
        while True:
            self._woken.wait(_LOOK_S)
            self._woken.clear()
            while self._signals:
                number = self._signals.pop(0)
                if number in _ENDINGS:
                    self._say(f"stopping ({signal.Signals(number).name})")
                    return
                self._read_again(copy)
            if self._settings.broker is None and time.monotonic() >= look_at:
                look_at = time.monotonic() + _BROKER_S
                self._revive_broker(copy)
            if self._supervisor is not None and _SCAN.name in self._supervisor.look():
                self._resume_once(copy)

    def _read_again(self, copy: Path) -> None:
        """Go on by the configuration as it is written now; where it is wrong, by the one there was."""
        try:
            candidate = copy.with_name("recon-next.yaml")
            fresh = self._copied(candidate)
            _refuse_move(self._settings, fresh)
        except ReconError as error:
            self._say(f"the configuration is not taken up, and the last good one stays:\n{error}")
            return
        self._say("the configuration is read again")
        self._stop()
        candidate.replace(copy)
        self._settings = fresh
        self._take_up(copy)

    def _resume(self, copy: Path) -> None:
        """Have what the cycle that was under way still waits for sent out again."""
        resumption = born(_RESUMPTION, child_environment(self._settings, copy=copy))
        resumption.await_end(_RESUMED_S)
        resumption.bury()

    def _resume_once(self, copy: Path) -> None:
        """Send out again what a scan worker that died had in hand; not again within a shard's deadline.

        A shard that kills each worker is left to the watchdog, which gives it up.
        """
        if time.monotonic() >= self._resume_after:
            self._resume_after = time.monotonic() + _RESUME_AGAIN_S
            self._resume(copy)

    def _revive_broker(self, copy: Path) -> None:
        try:
            if access.revived(self._settings):
                self._say("the broker had died, and is started again")
                self._resume(copy)
        except ReconError as error:
            self._say(f"the broker cannot be started, which is tried again: {error}")

    def _stop(self) -> None:
        if self._supervisor is not None:
            self._supervisor.stop(_STOP_ORDER, _STOP_S)

    def _end_now(self, number: int) -> NoReturn:
        if self._supervisor is not None:
            self._supervisor.kill()
        raise SystemExit(128 + number)

    @contextmanager
    def _own_broker(self) -> Iterator[None]:
        """Have the embedded broker run; it is stopped in the end unless somebody else is at work over it."""
        attendance = access.attendance(self._settings)
        if not attendance.reign():
            raise DaemonRunsError(
                f"another daemon runs over {self._settings.state}. Stop it first, or look at it: recon status"
            )
        alone = attendance.alone(CREW_ENDS_S)
        access.broker(self._settings)
        if alone:
            forsake(access.lookout(self._settings))
        attendance.join()
        try:
            yield
        finally:
            attendance.leave()
            if attendance.alone(0.0):
                access.down(self._settings)
            attendance.leave()

    @contextmanager
    def _handlers(self) -> Iterator[None]:
        """Note signals; the second one that ends kills all at once."""

        def noted(number: int, _: object) -> None:
            if number in _ENDINGS and self._ending:
                self._end_now(number)
            self._ending = self._ending or number in _ENDINGS
            self._signals.append(number)
            self._woken.set()

        before = {number: signal.signal(number, noted) for number in (*_ENDINGS, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _roles(options: DaemonOptions) -> tuple[Role, ...]:
    if options.flower:
        return (_CONTROL, _SCAN, _BEAT, _WEB_WITH_FLOWER, _FLOWER)
    return (_CONTROL, _SCAN, _BEAT, _WEB)


def _check(settings: Settings, copy: Path, within_s: float) -> None:
    """Raise ``ConfigError`` for what is wrong; a process of its own looks, whose memory is let go."""
    try:
        checked = subprocess.run(
            [sys.executable, "-P", "-m", "workers.check"],
            env=child_environment(settings, copy=copy),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConfigError(
            f"the check takes over {within_s:g} s. Next: see by recon validate where it hangs"
        ) from error
    if checked.returncode:
        raise ConfigError(checked.stderr.strip() or f"the check ended with exit code {checked.returncode}")


def _refuse_move(before: Settings, after: Settings) -> None:
    """Raise ``ConfigError`` where the new settings speak to other places."""
    moved = [
        name
        for name, pair in {
            "lake": (before.lake, after.lake),
            "state": (before.state, after.state),
            "broker": (before.broker, after.broker),
            "queues": ((before.queues_url, before.queues.prefix), (after.queues_url, after.queues.prefix)),
        }.items()
        if pair[0] != pair[1]
    ]
    if moved:
        raise ConfigError(f"{', '.join(moved)} cannot change under a running daemon: restart it")


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole % 3600 == 0:
        return f"{whole // 3600} h"
    return f"{whole // 60} min" if whole % 60 == 0 else f"{seconds:g} s"
