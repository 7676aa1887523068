"""Where a daemon's processes come from: on Linux each begins as a copy of the daemon, and shares its memory.

What Celery, Arrow and Polars take to import is there once, not once a process, and is imported once. A
process that is forked must find nothing set up: the daemon imports Celery's app, and never asks it anything.
Elsewhere (macOS, whose own libraries do not survive a fork) each is a Python of its own.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import platform
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NoReturn

from setproctitle import getproctitle, setproctitle

from recon.settings import become, supervised
from workers.allocation import share_one_heap
from workers.child import Child, spawned

#: What the processes have in common; the app first, which sees to their memory.
_SHARED = (
    "workers.app",
    "workers.tasks",
    "workers.roll_call",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.app.routes",
    "celery.apps.beat",
    "celery.apps.worker",
    "celery.backends.redis",
    "celery.concurrency.prefork",
    "celery.concurrency.thread",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.strategy",
    "email.parser",
    "kombu.transport.redis",
)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def born(words: Sequence[str], environment: Mapping[str, str]) -> Child:
    """Return a process that runs ``main()`` of a module: ``words`` are ``-m MODULE ARGUMENT...``."""
    if platform.system() == "Linux":
        return _forked(words[1:], environment)
    return spawned(words, environment)


@cache
def _prepare() -> None:
    """Import what is shared, and keep the collector from touching, and so copying, its pages."""
    for module in _SHARED:
        importlib.import_module(module)
    getproctitle()  # it finds the title's place by the environment, which a copy replaces
    gc.collect()
    gc.freeze()


def _forked(arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
    _prepare()
    held, lifeline = os.pipe()
    sys.stderr.flush()
    with _without_signals():
        pid = os.fork()
        if not pid:
            _live(arguments, supervised(environment), held)
    os.close(held)
    return Child(pid, _exit_code_of(pid), lifeline)


def _live(arguments: Sequence[str], environment: Mapping[str, str], held: int) -> NoReturn:
    """Be another process from here on; never returns."""
    code = 1
    try:
        os.setsid()
        os.dup2(held, 0)
        os.dup2(2, 1)
        _let_go()
        for number in _SIGNALS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        become(environment)
        share_one_heap()
        sys.argv = [*arguments]
        setproctitle(" ".join([sys.executable, "-m", *arguments]))
        code = _ended(importlib.import_module(arguments[0]).main())
    except SystemExit as ending:
        code = _ended(ending.code)
    except BaseException:  # noqa: BLE001 - nothing may return into the daemon's own code
        traceback.print_exc()
    finally:
        logging.shutdown()
        sys.stderr.flush()
        os._exit(code)


def _let_go() -> None:
    """Close what the daemon has open: the others' pipes, its locks, its connections."""
    for number in sorted(int(path.name) for path in Path("/proc/self/fd").iterdir()):
        if number > 2:
            try:
                os.close(number)
            except OSError:
                continue  # the folder that was just read


def _ended(said: object) -> int:
    if said is None:
        return 0
    if isinstance(said, int):
        return said
    print(said, file=sys.stderr)  # noqa: T201 - as the interpreter does
    return 1


def _exit_code_of(pid: int) -> Callable[[], int | None]:
    code: int | None = None

    def exit_code() -> int | None:
        nonlocal code
        if code is None:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
        return code

    return exit_code


@contextmanager
def _without_signals() -> Iterator[None]:
    """Hold signals back until the copy has handlers of its own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
