"""A canary in every place that holds a secret: no log, state file, message, result or event shows it."""

from __future__ import annotations

import base64
import socket
import subprocess
import sys
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

    def __init__(self, folder: Path, server, s3: S3Server, port: int) -> None:
        self.port, self.s3 = port, s3
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
            "reconciliation_loop: {max_retries: 2}\n"
            f"scrapers: {{nba: {scraper}}}\n"
            f"notifications: {{slack: {{webhook_url: 'https://hooks.slack.com/services/T1/B1/{CANARY}'}}}}\n"
        )
        (self.folder / "recon.yaml").write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **super().environment,
            "RECON_REDIS_URL": f"redis://default:{CANARY}-broker@127.0.0.1:{self.port}/0",
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
        with (self.folder / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, str(self.folder / "faulty.py"), *words],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

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


@pytest.fixture
def site(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as own:
        port = own.getsockname()[1]
    options = ("--bind", "127.0.0.1", "--port", str(port))
    held = [f"box/{n:03d}.json".encode() for n in range(40) if n % 7]
    with S3Server(held) as s3, running(binary_of("valkey-9"), *options) as server:
        made = SecretSite(tmp_path, server, s3, port)
        try:
            yield made
        finally:
            made.stop()


def forms() -> list[bytes]:
    """Return the canary as it may stand in bytes: plain, and within base64 at each of its three offsets."""
    text = CANARY.encode()
    return [text, *(base64.b64encode(b"_" * n + text)[4 if n else 0 : -4] for n in range(3))]


def test_no_secret_reaches_a_log_the_state_a_message_a_result_or_an_event(site):
    events = redis.Redis(port=site.port).pubsub()
    events.psubscribe("*")
    site.start(*CONTROL)
    site.start(*SCAN)
    site.beat()
    site.scheduled_cycle()
    site.wait_for(lambda: {path.name for path in (site.folder / "marks").iterdir()} == {"scan", "conclude"})
    site.wait_for(lambda: site.reports() and site.settled(), 90)
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: len(site.reports()) > 1 and site.settled(), 90)
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
        for path, content in {**seen, "shown": shown.encode(), "events": b"\n".join(told)}.items()
        for form in forms()
        if (at := content.find(form)) >= 0
    ]
    assert leaks == []
