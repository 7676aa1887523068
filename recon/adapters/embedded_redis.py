"""A Redis of one's own: Valkey in the state folder, started when needed, running on until it is taken down.

Owns ``<state>/broker/``: ``broker.conf``, ``server.pid`` (JSON: pid, started, socket), ``server.log``,
``redis.sock``, the append-only file, and two lock files: ``change.lock`` is held by whoever starts or stops
the server, ``running.lock`` by the server itself, for as long as it lives (it inherits the open file). So
"does it run" never depends on a pid that may be stale or somebody else's.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from recon.errors import BrokerError, ConfigError

#: Bytes a socket's path may have: 104 on macOS, 108 on Linux, less the closing NUL.
SOCKET_PATH_MAX_BYTES = 103
#: Seconds a server may take to answer: a large append-only file is read first.
START_TIMEOUT_S = 60.0
#: Seconds to write the last data out after SIGTERM, before SIGKILL.
STOP_TIMEOUT_S = 10.0
#: Seconds between looks; a start takes 10 to 50 ms.
_POLL_S = 0.002

#: Tasks must outlive a restart and must never be evicted; no port, so nobody else can connect.
_CONFIG = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
dir "{folder}"
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize yes
pidfile ""
logfile "{folder}/server.log"
set-proc-title no
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its addresses for redis-py and Celery, and whether this call started it."""

    url_redis: str
    url_celery: str
    pid: int
    started: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """What ``server.pid`` holds; ``started`` names the process among all that ever had this pid."""

    pid: int
    started: str
    socket: str


class EmbeddedRedis:
    """The server of one state folder; any number of processes may ask for it at once."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir.resolve() / "broker"
        self._config = self._folder / "broker.conf"
        self._pid_file = self._folder / "server.pid"

    def ensure(self) -> Server:
        """Return the server of this folder, started unless it runs.

        Raises:
            ConfigError: no server program is installed, or the folder cannot be used.
            BrokerError: the server does not start or does not answer.
        """
        with self._changing():
            held = self._take_running_lock()
            if held is None:
                return self._attach()
            try:
                self._reap()
                return self._start(held)
            finally:
                os.close(held)

    def down(self) -> bool:
        """Stop the server, and clean up after one that died; True when one was running."""
        if not self._folder.is_dir():
            return False
        with self._changing():
            held = self._take_running_lock()
            was_running = held is None
            if held is None:
                held = self._stop(self._identify())
            self._reap()
            os.close(held)
        return was_running

    # -- starting and attaching

    def _start(self, held: int) -> Server:
        binary = _find_binary()
        address = _socket_path(self._folder)
        self._config.write_text(_CONFIG.format(socket=_quoted(address), folder=_quoted(self._folder)))
        ran = subprocess.run(  # noqa: S603 - the program is found below, the argument is our own file
            [binary, str(self._config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            pass_fds=[held],
            timeout=START_TIMEOUT_S,
            check=False,
        )
        os.close(os.dup(held))
        if ran.returncode:
            raise BrokerError(
                f"{binary} refused to start ({ran.stderr.decode('utf-8', 'replace').strip()[-300:]}). "
                f"See {self._folder}/server.log, or name a Redis of yours in `broker`.",
            )
        return self._remember(self._wait_for(address), address, started=True)

    def _attach(self) -> Server:
        record = self._read_record()
        address = Path(record.socket) if record else _socket_path(self._folder)
        return self._remember(self._wait_for(address), address, started=False)

    def _remember(self, pid: int, address: Path, *, started: bool) -> Server:
        record = {"pid": pid, "started": _started(pid), "socket": str(address)}
        aside = self._pid_file.with_suffix(".new")
        aside.write_text(json.dumps(record))
        aside.replace(self._pid_file)
        path = quote(str(address))
        return Server(
            url_redis=f"unix://{path}",
            url_celery=f"redis+socket://{path}?virtual_host=0",
            pid=pid,
            started=started,
        )
