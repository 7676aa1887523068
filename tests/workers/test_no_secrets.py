"""A canary in every place that holds a secret: no log, state file, message, event or page shows it."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import redis
from installation import CONTROL, SCAN, Site, with_children
from redis_servers import binary_of, running
from s3_server import S3Server

REPOSITORY = Path(__file__).parents[2]
CANARY = "c4nary-Zq7"
#: Celery, whose engine meets errors that are full of secrets: one shard's look, one final step.
FAULTY = """
import os, sys
from faulty_celery import main, shorten
from recon import cycle

shorten()
real_scan, real_conclude = cycle.scan_shard, cycle.conclude

def words():
    names = ("RECON_REDIS_URL", "AWS_SECRET_ACCESS_KEY", "RECON_ALERT_URLS", "SOME_TOKEN")
    return " ".join(os.environ[name] for name in names)

def once(name):
    try:
        open(os.path.join(os.environ["MARKS"], name), "x").close()
        return True
    except FileExistsError:
        return False

def scan_shard(ports, judged, shard):
    if once("scan"):
        raise RuntimeError(words())
    return real_scan(ports, judged, shard)

def conclude(*args):
    if once("conclude"):
        raise RuntimeError(words())
    return real_conclude(*args)

cycle.scan_shard, cycle.conclude = scan_shard, conclude
sys.argv = ["celery", "-A", "workers.app", *sys.argv[1:]]
main()
"""
SCRAPER = "import os,sys; sys.stderr.write('cannot log in with ' + os.environ['PASSWORD']); sys.exit(1)"


class SecretSite(Site):
    """An installation whose every secret is a canary."""

    def __init__(self, folder: Path, server, s3: S3Server, port: int, login: str) -> None:
        self.port, self.s3, self.login = port, s3, login
        self.web_port, self.flower_port = free_port(), free_port()
        super().__init__(folder, server)
        (folder / "marks").mkdir()
        (folder / "faulty.py").write_text(FAULTY)

    def configure(self, _: str = "") -> None:
        scraper = f"{{command: ['{sys.executable}', -c, {SCRAPER!r}], env: {{PASSWORD: {CANARY}-env}}}}"
        text = (
            "lake: s3://lake\ninventory: inventory.yaml\n"
            f"s3: {{endpoint_url: '{self.s3.url}', region: us-east-1}}\n"
            f"queues: {{url: 'redis://default:{CANARY}-queues@127.0.0.1:{self.port}/1'}}\n"
            f"broker: redis://default:{CANARY}-file@127.0.0.1:1/0\n"
            "logging: {format: json, level: DEBUG, output_dir: logs}\n"
            f"reconciliation_loop: {{max_retries: 2, health_check_port: {self.web_port}}}\n"
            f"scrapers: {{nba: {scraper}}}\n"
            f"notifications: {{slack: {{webhook_url: 'https://hooks.slack.com/services/T1/B1/{CANARY}'}}}}\n"
        )
        (self.folder / "recon.yaml").write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "RECON_REDIS_URL": self.login.format(place=f"127.0.0.1:{self.port}/0"),
            "RECON_FLOWER_AUTH": f"keeper:{CANARY}-flower",
            "RECON_ALERT_URLS": f"json://user:{CANARY}-alert@127.0.0.1:1/{CANARY}-path",
            "AWS_ACCESS_KEY_ID": f"{CANARY}-id",
            "AWS_SECRET_ACCESS_KEY": f"{CANARY}-aws",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SOME_TOKEN": f"{CANARY}-token",
            "MARKS": str(self.folder / "marks"),
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'tests'}",
        }

    def start(self, *words: str, fault: str = ""):
        del fault
        words = tuple("DEBUG" if word == "WARNING" else word for word in words)
        return self.run(str(self.folder / "faulty.py"), *words)

    def served(self, port: int, path: str) -> tuple[int, bytes]:
        """Return status and body of what a page answers to its keeper; 0 where nobody listens yet."""
        asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
        asked.add_header(
            "Authorization", "Basic " + base64.b64encode(f"keeper:{CANARY}-flower".encode()).decode()
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as found:
                return found.status, found.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()
        except OSError:
            return 0, b""

    def pages(self) -> dict[str, bytes]:
        """Return what our site and Flower show, page by page."""
        found = {}
        for path in ("/", "/page.json", "/metrics", "/healthz", "/readyz"):
            status, found[path] = self.served(self.web_port, path)
            assert status in {200, 503}, path
        _, tasks = self.served(self.flower_port, "/api/tasks")
        _, workers = self.served(self.flower_port, "/api/workers?refresh=1")
        paths = [
            "/",
            "/workers?json=1",
            "/tasks",
            "/broker",
            "/metrics",
            "/api/queues/length",
            "/api/task/types",
        ]
        paths += [f"/worker/{name}" for name in json.loads(workers)]
        paths += [
            path
            for task_id in json.loads(tasks)
            for path in (f"/task/{task_id}", f"/api/task/info/{task_id}")
        ]
        for path in paths:
            status, found[f"Flower's {path}"] = self.served(self.flower_port, path)
            assert status == 200, path
        return {**found, "Flower's tasks": tasks, "Flower's workers": workers}

    def recon(self, *words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", "from recon.cli import main; main()", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        return done.stdout + done.stderr


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as own:
        return own.getsockname()[1]


#: How the broker's password may stand in its address.
LOGINS = {
    "before the host": f"redis://default:{CANARY}-broker@{{place}}",
    "in the query": f"redis://{{place}}?username=default&password={CANARY}-broker",
}


@pytest.fixture(params=LOGINS)
def site(tmp_path, request):
    port = free_port()
    options = ("--bind", "127.0.0.1", "--port", str(port))
    held = [f"box/{n:03d}.json".encode() for n in range(40) if n % 7]
    with S3Server(held) as s3, running(binary_of("valkey-9"), *options) as server:
        made = SecretSite(tmp_path, server, s3, port, LOGINS[request.param])
        try:
            yield made
        finally:
            made.stop()


def forms() -> list[bytes]:
    """Return the canary as it may stand in bytes: plain, and within base64 at each of its three offsets."""
    text = CANARY.encode()
    return [text, *(base64.b64encode(b"_" * n + text)[4 if n else 0 : -4] for n in range(3))]


def test_no_secret_reaches_a_log_the_state_a_message_a_result_an_event_or_a_page(site):
    events = redis.Redis(port=site.port).pubsub()
    events.psubscribe("*")
    site.start(*CONTROL)
    site.start(*SCAN)
    site.beat()
    site.run("-m", "workers.serving")
    site.run("-m", "workers.flower", "--port", str(site.flower_port))
    site.wait_for(lambda: site.served(site.flower_port, "/api/workers")[0] == 200)
    site.scheduled_cycle()
    site.wait_for(lambda: {path.name for path in (site.folder / "marks").iterdir()} == {"scan", "conclude"})
    site.wait_for(lambda: site.reports() and site.settled(), 90)
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: len(site.reports()) > 1 and site.settled(), 90)
    pages = site.pages()
    assert b"\nrecon_facts_timestamp_seconds " in pages["/metrics"]
    assert any(b"broker_url" in body for path, body in pages.items() if path.startswith("Flower's /worker/"))
    assert any(path.startswith("Flower's /task/") for path in pages)
    assert site.server.client.execute_command("SELECT", 1)
    shown = site.recon("work", "--once", "--max-tasks", "1")
    shown += site.recon("status") + site.recon("doctor") + site.recon("queue", "dead", "--json")
    told = []
    while message := events.get_message(timeout=0.2):
        told.append(f"{message['channel']} {message['data']}".encode())
    for process in site.processes:
        with_children(process, 15)
        process.wait(30)
    assert any(b"celeryev" in text for text in told[1:]), told[:5]
    logs = "".join(path.read_text() for path in (site.folder / "logs").iterdir())
    assert "RuntimeError" in logs
    assert "***" in logs
    own = {site.folder / "recon.yaml"}
    seen = {path: path.read_bytes() for path in site.folder.rglob("*") if path.is_file() and path not in own}
    seen |= {path: path.read_bytes() for path in site.server.folder.rglob("*") if path.is_file()}
    leaks = [
        (str(path), content[at - 200 : at + 60])
        for path, content in {**seen, **pages, "shown": shown.encode(), "events": b"\n".join(told)}.items()
        for form in forms()
        if (at := content.find(form)) >= 0
    ]
    assert leaks == []
