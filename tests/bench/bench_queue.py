"""What the scrapers' queues cost: publishing, leasing and settling, beside rq, Celery and a bare BLPOP.

Usage: ``python tests/bench/bench_queue.py [--tasks 20000] [--rivals 3000] [--gaps 1000000] [--runs 3]``

One server (Valkey, append-only file, fsync every second, a unix socket), one run, work that does nothing.
Each contender has one consumer in a process of its own; its imports and its start are left out. rq runs its
SimpleWorker (the default one forks for each job), Celery its solo pool with acks_late and no results: each
the fastest that it has. The best of the runs counts for every contender. Memory is the server's own figure;
a task's body is counted once, so that what is stored beside it, a second copy of the body included, is what
it costs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS))

import redis  # noqa: E402 - the test helpers stand beside
from redis_servers import RedisServer, binary_of, running  # noqa: E402

from recon.adapters.redis_client import RedisBroker  # noqa: E402
from recon.adapters.redis_queue import RedisLeases, RedisTaskQueue  # noqa: E402
from recon.model import Lease, Priority, ScrapeTask, Settlement  # noqa: E402

LAKE = "s3://lake/root"
SEEN = datetime(2100, 1, 1, tzinfo=UTC)
#: Aims of the figures, where there are any: at least so many tasks a second, at most so many bytes.
PUBLISH_AIM, TEN_AIM, RATIO_AIM, BYTES_AIM = 60_000, 25_000, 4.0, 1300
#: Plain BLPOPs a second on the machine that the aims were set on: what an aim is in multiples of a BLPOP.
AIMED_BLPOP = 18_500


def task(number: int, level: int | None = None) -> ScrapeTask:
    """Return a task as the engine words it, some 570 bytes long."""
    priority = Priority(number % 4 if level is None else level)
    game, season = f"00224{number:07d}", "2024-25"
    body = {
        "id": f"{number * 2654435761 % 2**128:032x}",
        "v": 1,
        "priority": priority.label,
        "lake": LAKE,
        "source": "nba_api",
        "data_type": "boxscores",
        "scraper": "nba_api_scraper",
        "reason": "missing",
        "partition": {"season": season},
        "pattern": "nba_api/boxscores/{season}/{game_id}.json",
        "keys": [f"nba_api/boxscores/{season}/{game}.json"],
        "items": [{"season": season, "game_id": game}],
        "expect": {"min_size_bytes": 100, "fresh_after": "2025-01-01T00:00:00Z"},
        "args": [],
        "first_seen_at": "2025-01-01T00:00:00Z",
    }
    return ScrapeTask(str(body["id"]), priority, "nba_api", json.dumps(body, separators=(",", ":")).encode())


def queue_of(server: RedisServer, caps: int | None = None) -> tuple[RedisTaskQueue, RedisLeases]:
    """Return both sides of an empty queue."""
    server.client.flushall()
    broker = RedisBroker.connect(server.url)
    if caps is None:
        return RedisTaskQueue(broker, lake=LAKE), RedisLeases(broker)
    wide = dict.fromkeys(Priority, caps)
    return RedisTaskQueue(broker, lake=LAKE, caps=wide, max_per_run=caps), RedisLeases(broker)


def timed(doing: Callable[[], object]) -> float:
    """Return the seconds that something takes."""
    begun = time.perf_counter()
    doing()
    return time.perf_counter() - begun


def published(server: RedisServer, tasks: list[ScrapeTask], runs: int) -> tuple[float, float]:
    """Return new tasks, and tasks that are there already, published per second in batches of 100."""
    fresh, again = [], []
    for _ in range(runs):
        queue, _ = queue_of(server, len(tasks))

        def publish(queue: RedisTaskQueue = queue) -> None:
            for at in range(0, len(tasks), 100):
                queue.publish(tasks[at : at + 100], fence=1, observed_at=SEEN)

        fresh.append(timed(publish))
        again.append(timed(publish))
        assert sum(queue.depths().values()) == len(tasks)
    return len(tasks) / min(fresh), len(tasks) / min(again)


def leased(server: RedisServer, tasks: list[ScrapeTask], runs: int, at_once: int) -> float:
    """Return tasks leased and settled per second."""
    seconds = []
    for _ in range(runs):
        queue, leases = queue_of(server, len(tasks))
        queue.publish(tasks, fence=1, observed_at=SEEN)

        def settle(got: list[Lease], leases: RedisLeases = leases) -> None:
            if at_once == 1:
                leases.settle(got[0], Settlement.DONE)
            else:
                leases.settle_done(got)

        def consume(leases: RedisLeases = leases, settle: Callable[[list[Lease]], None] = settle) -> None:
            while got := leases.lease(at_once, visibility_s=600):
                settle(got)

        seconds.append(timed(consume))
        assert queue.stats()["done"] == len(tasks)
    return len(tasks) / min(seconds)


def popped(server: RedisServer, tasks: list[ScrapeTask], runs: int) -> float:
    """Return tasks popped per second by a plain BLPOP, one by one, with no promise at all."""
    names = [f"recon:queue:{level.label}" for level in Priority]
    seconds = []
    for _ in range(runs):
        queue, _ = queue_of(server, len(tasks))
        queue.publish(tasks, fence=1, observed_at=SEEN)
        seconds.append(timed(lambda: [server.client.blpop(names, 1) for _ in tasks]))
    return len(tasks) / min(seconds)


# ---- rivals: a no-op job, by number; the first and the last one take the time

_BEGUN = [0.0]


def no_op(number: int, last: int, url: str) -> None:
    """Do nothing, but tell how long it took from the first job to the last."""
    if number == 0:
        _BEGUN[0] = time.perf_counter()
    if number == last:
        redis.Redis.from_url(url).rpush("bench:took", repr(time.perf_counter() - _BEGUN[0]))


def rq_consumer(url: str, jobs: int) -> None:
    """Enqueue and work off jobs, as rq does."""
    import bench_queue  # its workers look a job's function up by its module's name
    from rq import Queue, SimpleWorker

    connection = redis.Redis.from_url(url)
    queue = Queue(connection=connection)
    queue.enqueue_many(
        [
            Queue.prepare_data(bench_queue.no_op, (number, jobs - 1, url), result_ttl=0)
            for number in range(jobs)
        ]
    )
    SimpleWorker([queue], connection=connection).work(burst=True, logging_level="WARNING")


def celery_consumer(url: str, jobs: int) -> None:
    """Enqueue and work off jobs, as Celery does with acks_late."""
    from celery import Celery

    broker = url.replace("unix://", "redis+socket://")
    app = Celery("bench", broker=broker, set_as_current=True)
    app.conf.update(
        task_acks_late=True,
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        worker_prefetch_multiplier=4,
    )
    job = app.task(no_op, name="no_op")
    for number in range(jobs):
        job.delay(number, jobs - 1, url)
    words = ["worker", "--pool", "solo", "--loglevel", "ERROR", "--without-gossip", "--without-mingle"]
    app.worker_main([*words, "--without-heartbeat"])


RIVALS = {"rq": rq_consumer, "celery": celery_consumer}


def rivalled(server: RedisServer, name: str, jobs: int, runs: int) -> float:
    """Return jobs that a rival works off per second."""
    seconds = []
    for _ in range(runs):
        server.client.flushall()
        words = [sys.executable, __file__, "--one", name, "--url", server.url, "--rivals", str(jobs)]
        path = os.pathsep.join([str(Path(__file__).parent), str(TESTS.parent), *sys.path[1:]])
        with subprocess.Popen(
            words, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.DEVNULL
        ) as process:
            try:
                while (told := server.client.lpop("bench:took")) is None:
                    assert process.poll() is None, f"{name} ended before its last job"
                    time.sleep(0.1)
                seconds.append(float(told))
            finally:
                process.terminate()
    return jobs / min(seconds)


# ---- memory


def bytes_beside(server: RedisServer, tasks: list[ScrapeTask]) -> float:
    """Return the server's memory per task, its body left out."""
    queue, _ = queue_of(server, len(tasks))
    queue.claim_lake()
    before = server.client.info("memory")["used_memory"]
    queue.publish(tasks, fence=1, observed_at=SEEN)
    used = server.client.info("memory")["used_memory"] - before
    return (used - sum(len(one.body) for one in tasks)) / len(tasks)


def at_the_caps(server: RedisServer, gaps: int) -> list[tuple[str, float, float, int]]:
    """Offer every gap to a queue with the default caps, twice; return its memory and its tasks after each."""
    queue, _ = queue_of(server)
    rows = []
    for share in (0.01, 1.0, 1.0):
        begun = time.perf_counter()
        for at in range(0, round(gaps * share), 10_000):
            queue.publish([task(number) for number in range(at, at + 10_000)], fence=1, observed_at=SEEN)
        queue.tick()
        seconds = time.perf_counter() - begun
        used = server.client.info("memory")["used_memory_dataset"] / 1e6
        rows.append((f"{round(gaps * share):,} gaps", used, seconds, sum(queue.depths().values())))
    return rows


def row(what: str, rate: float, base: float, aim: str) -> None:
    """Print one line."""
    print(f"{what:<44}{rate:>12,.0f}{rate / base:>9.2f}  {aim}")


def held(met: bool, aim: str) -> str:
    """Return an aim and whether it is met."""
    return f"{aim}: {'met' if met else 'MISSED'}"


def aimed(rate: float, aim: int, bare: float) -> str:
    """Return an aim in tasks a second, and in multiples of a BLPOP, and whether each is met."""
    multiple = aim / AIMED_BLPOP
    return f"{held(rate >= aim, f'>= {aim:,}')}; {held(rate >= multiple * bare, f'>= {multiple:.1f} BLPOPs')}"


def measure(server: RedisServer, tasks: int, jobs: int, gaps: int, runs: int) -> None:
    """Print the tables."""
    made = [task(number) for number in range(tasks)]
    info = server.client.info("server")
    print(
        f"Valkey {info.get('valkey_version', info['redis_version'])}, redis-py {version('redis')}, "
        f"rq {version('rq')}, Celery {version('celery')}; Python {platform.python_version()}, "
        f"{os.cpu_count()} cores; bodies of {len(made[0].body)} bytes"
    )
    one = leased(server, made, runs, 1)
    ten = leased(server, made, runs, 10)
    fresh, again = published(server, made, runs)
    bare = popped(server, made, runs)
    rivals = {name: rivalled(server, name, jobs, runs) for name in RIVALS}
    print(f"{'tasks':<44}{'a second':>12}{'BLPOPs':>9}  aim")
    row("publish, batches of 100, new", fresh, bare, aimed(fresh, PUBLISH_AIM, bare))
    row("publish, batches of 100, all there already", again, bare, aimed(again, PUBLISH_AIM, bare))
    row("lease(10) + settle", ten, bare, aimed(ten, TEN_AIM, bare))
    row("lease(1) + settle", one, bare, "")
    row("plain BLPOP, no promise", bare, bare, "")
    pings = min(timed(lambda: [server.client.ping() for _ in made]) for _ in range(runs))
    row("PING, the client's floor", tasks / pings, bare, "")
    for name, rate in rivals.items():
        row(
            f"{name} {version(name)}",
            rate,
            bare,
            held(one >= RATIO_AIM * rate, f"ours {one / rate:.1f} x, >= 4 x"),
        )
    beside = bytes_beside(server, made[:10_000])
    print(f"memory of a task beside its body: {beside:,.0f} bytes, {held(beside <= BYTES_AIM, '<= 1,300')}")
    for what, used, seconds, ready in at_the_caps(server, gaps):
        print(f"{what:>16} offered: {used:6.2f} MB in Redis, {ready:,} tasks ready, {seconds:,.0f} s")


def main() -> None:
    """Measure, or be one rival's consumer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rivals", type=int, default=3_000, help="jobs of rq and Celery")
    parser.add_argument("--gaps", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", choices=RIVALS)
    parser.add_argument("--url")
    chosen = parser.parse_args()
    if chosen.one:
        RIVALS[chosen.one](chosen.url, chosen.rivals)
        return
    with running(binary_of("valkey-9"), "--appendfsync", "everysec") as server:
        measure(server, chosen.tasks, chosen.rivals, chosen.gaps, chosen.runs)


def test_queue() -> None:
    """Let ``make bench`` run it."""
    sys.argv = [__file__]
    main()


if __name__ == "__main__":
    main()
