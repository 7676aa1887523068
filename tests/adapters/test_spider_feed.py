"""Gaps are filled by a Scrapy spider: real Scrapy with scrapy-redis, a real Valkey, a site on this host."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

import pytest
from in_process import called
from redis import Redis
from redis_servers import binary_of, running
from work_place import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
RECON = [sys.executable, "-c", "from recon.cli import main; main()"]
FEED = [sys.executable, "-m", "recon.adapters.spider_feed"]
#: What the site has: a status and a text, or nothing but a closed connection.
PAGES: dict[str, tuple[int, str] | None] = {
    "/2023-24/1": (200, "one"),
    "/2023-24/2 & 3": (200, "two and three"),
    "/2023-24/4": (404, ""),
    "/2023-24/5": (200, "gone"),
    "/2024-25/1": (410, ""),
    "/2024-25/2 & 3": (200, "odd"),
    "/2024-25/4": (200, "empty"),
    "/2024-25/5": (503, ""),
    "/2024-25/6": None,
    "/2023-24/6": (200, "six"),
}
INVENTORY = """
dimensions: {season: {values: [2023-24, 2024-25]}, game: {values: ["1", "2 & 3", "4", "5", "6"]}}
expected_coverage:
  nba:
    scraper: games
    batch_size: 1
    data_types: {box: {path_patterns: ["box/{season}/{game}.json"]}}
"""
CONFIG = """
lake: lake
inventory: inventory.yaml
broker: %s
task_queue: {unproven_max: 20}
scrapers:
  games:
    scrapy: {spider: games, url: "%s/{season}/{game}?why={reason}"}
    per: source
"""
#: The example's spider, with a site that has its ways.
SPIDER = """
from games import Games
from recon_answers import Absent

class Probe(Games):
    def parse(self, response):
        if response.body == b"gone":
            raise Absent("the page says so")
        if response.body == b"odd":
            raise ValueError("no scores")
        if response.body != b"empty":
            yield from super().parse(response)
"""


class Site(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        page = PAGES[unquote(self.path.partition("?")[0])]
        if page is None:
            self.close_connection = True
            return
        status, text = page
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def valkey():
    with running(binary_of("valkey-9")) as server:
        yield server


@pytest.fixture(scope="module")
def spiders(valkey):
    """Return a client of the spiders' database: another than the engine's."""
    client = Redis.from_url(f"{valkey.url}?db=1", decode_responses=True)
    yield client
    client.close()


@pytest.fixture(scope="module")
def environment(valkey):
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RECON_")}
    path = f"{REPOSITORY}:{REPOSITORY / 'examples/scrapy_project'}"
    return {**plain, "PYTHONPATH": path, "SCRAPY_REDIS_URL": f"{valkey.url}?db=1"}


@pytest.fixture(scope="module")
def spider(environment, tmp_path_factory):
    folder = tmp_path_factory.mktemp("spider")
    (folder / "probe.py").write_text(SPIDER)
    quiet = ("TELNETCONSOLE_ENABLED=0", "RETRY_TIMES=1", "RETRY_PRIORITY_ADJUST=0", "LOG_FILE=spider.log")
    settings = [word for one in quiet for word in ("-s", one)]
    command = [sys.executable, "-m", "scrapy", "runspider", "probe.py", *settings]
    process = subprocess.Popen(command, cwd=folder, env=environment)
    yield folder / "spider.log"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture
def place(tmp_path, valkey, spiders, site, monkeypatch):
    valkey.client.flushall()
    monkeypatch.setenv("SCRAPY_REDIS_URL", f"{valkey.url}?db=1")
    (tmp_path / "recon.yaml").write_text(CONFIG % (valkey.url, site))
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    (tmp_path / "lake").mkdir()
    return tmp_path


def told(folder: Path, *words: str) -> dict:
    done = called(folder, [*words, "--config", "recon.yaml", "--json"])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def worked(folder: Path, environment: dict[str, str]) -> dict:
    done = subprocess.run(
        [*RECON, "work", "--once", "--config", "recon.yaml", "--json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["totals"]


def test_gaps_are_filled_by_a_spider_and_settled_and_a_page_that_is_not_there_is_absent(
    place, valkey, spiders, spider, environment
):
    assert told(place, "run", "--inline")["verdicts"]["missing"] == 10
    totals = worked(place, environment)
    counts = {name: totals[name] for name in ("runs", "done", "absent", "failed")}
    assert counts == {"runs": 1, "done": 3, "absent": 3, "failed": 4}, spider.read_text()
    files = {file.name: file.read_text() for file in (place / "lake").rglob("*.json")}
    assert files == {"1.json": "one", "2 & 3.json": "two and three", "6.json": "six"}
    results = [json.loads(text) for text in valkey.client.lrange("recon:results", 0, -1)]
    errors = sorted(one["error"].split(" http")[0].split(":")[0] for one in results if one.get("error"))
    assert errors == ["503 from", "DownloadFailedError", "ValueError", "the spider made nothing of"]
    verdicts = told(place, "run", "--inline")["verdicts"]
    assert (verdicts["ok"], verdicts["missing"]) == (3, 7)
    absent = {one["what"]: one["reason"].partition(" http")[0] for one in told(place, "absent", "ls")}
    assert absent == {
        "box/2023-24/4.json": "404 from",
        "box/2023-24/5.json": "the page says so",
        "box/2024-25/1.json": "410 from",
    }
    states = told(place, "queue", "ls")["levels"].values()
    assert (sum(one["claimed"] for one in states), sum(one["cooling"] for one in states)) == (0, 7)
    assert spiders.keys("*") == []


def test_tasks_that_no_spider_takes_fail_at_the_timeout_and_leave_nothing_behind(
    place, valkey, spiders, environment
):
    config = (place / "recon.yaml").read_text().replace("spider: games", "spider: nobody")
    (place / "recon.yaml").write_text(f"{config}    timeout: 4s\n")
    told(place, "run", "--inline")
    assert worked(place, environment)["failed"] == 10
    (error,) = {json.loads(text)["error"] for text in valkey.client.lrange("recon:results", 0, -1)}
    assert error == (
        "timed out after 4 s: 10 of 10 keys were not answered; 10 were still on nobody:start_urls: "
        "is the spider running?"
    )
    assert spiders.keys("*") == []


@pytest.fixture
def asked(tmp_path, environment, spiders):
    """Return a feed at work for a spider that is not there, and its files."""
    spiders.flushdb()
    requests = [{"url": f"http://s/{key}", "method": "GET", "meta": {"recon": {"key": key}}} for key in "abc"]
    (tmp_path / "requests").write_text("".join(f"{json.dumps(one)}\n" for one in requests))
    feed = subprocess.Popen(
        [*FEED, "nobody", "requests", "results"],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: spiders.llen("nobody:start_urls"))
    yield feed
    feed.kill()
    feed.communicate()


def test_a_feed_that_is_stopped_takes_back_what_no_spider_took_and_says_so(asked, spiders):
    spiders.lpop("nobody:start_urls")
    asked.terminate()
    _, err = asked.communicate(timeout=30)
    assert (asked.returncode, spiders.keys("*")) == (1, [])
    assert err.strip() == (
        "3 of 3 keys were not answered; 2 were still on nobody:start_urls: is the spider running?"
    )


def test_the_first_answer_for_a_key_counts_and_what_is_none_is_passed_over(asked, spiders, tmp_path):
    answers = json.loads(spiders.lindex("nobody:start_urls", 0))["meta"]["recon"]["answers"]
    said = [{"key": "a", "status": "done"}, {"key": "a", "status": "failed"}, {"key": "z", "status": "done"}]
    said += [{"key": "b", "status": "well"}, {"key": "b", "status": "absent", "evidence": "404\nfrom"}]
    spiders.rpush(answers, "\x80", "[]", *map(json.dumps, said), '{"key": "c", "status": "done"}')
    assert asked.wait(30) == 0
    lines = [json.loads(line) for line in (tmp_path / "results").read_text().splitlines()]
    assert [(one["key"], one["status"], one["evidence"]) for one in lines] == [
        ("a", "done", ""),
        ("b", "absent", "404\nfrom"),
        ("c", "done", ""),
    ]


def test_a_redis_that_does_not_answer_is_named_without_its_password(tmp_path, environment):
    (tmp_path / "requests").write_text('{"meta": {"recon": {"key": "a"}}}\n')
    done = subprocess.run(
        [*FEED, "nobody", "requests", "results"],
        cwd=tmp_path,
        env={**environment, "SCRAPY_REDIS_URL": "redis://:c4nary@127.0.0.1:1/1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("SCRAPY_REDIS_URL: ")
    assert "127.0.0.1:1" in done.stderr
    assert "c4nary" not in done.stderr
