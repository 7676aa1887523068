"""Two hosts with nothing in common but a Redis over TCP and an S3: network namespaces of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import boto3
import pytest
from installation import BEGIN, FAULTY, GONE, INVENTORY, WANTED, with_children
from moto.server import DomainDispatcherApplication, create_backend_app
from redis_servers import RedisServer, binary_of, running
from werkzeug.serving import make_server

pytestmark = pytest.mark.timeout(500)

SERVICES = "10.231.0.1"
PASSWORD, SECRET = "c4nary-of-the-password", "c4nary-of-the-secret"
ROLES = {
    "control": ("worker", "-Q", "recon.control", "-P", "prefork", "-c", "1"),
    "scan": ("worker", "-Q", "recon.scan", "-P", "threads", "-c", "4"),
}


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no network namespaces here: ip {' '.join(words)}: {done.stderr.strip()}")


class Host:
    """One namespace with a working folder of its own, and what runs in it."""

    def __init__(self, number: int, folder: Path, configuration: str) -> None:
        self.name = f"recon{os.getpid()}-{number}"
        self.number, self.folder = number, folder
        folder.mkdir()
        (folder / "inventory.yaml").write_text(INVENTORY)
        (folder / "recon.yaml").write_text(configuration)
        self.processes: list[subprocess.Popen[bytes]] = []

    def connect(self, stack: ExitStack) -> None:
        link, net = f"rc{os.getpid() % 100000}-{self.number}", f"10.231.{self.number}"
        ip("netns", "add", self.name)
        stack.callback(subprocess.run, ["ip", "netns", "del", self.name], check=False)
        ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        ip("addr", "add", f"{net}.1/30", "dev", link)
        ip("link", "set", link, "up")
        for words in (f"addr add {net}.2/30 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-n", self.name, *words.split())
        ip("-n", self.name, "route", "add", "default", "via", f"{net}.1")

    @property
    def environment(self) -> dict[str, str]:
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("RECON_", "AWS_"))}
        aws = {"AWS_ACCESS_KEY_ID": "KEY", "AWS_SECRET_ACCESS_KEY": SECRET}
        mark = str(self.folder / "died")
        return {**plain, **aws, "RECON_CONFIG": str(self.folder / "recon.yaml"), "FAULT_MARK": mark}

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log.txt").open("ab") as log:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.name, sys.executable, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        for role, words in ROLES.items():
            named = ("-n", f"{role}@{self.name}", "-l", "WARNING")
            self.processes.append(self.run(str(FAULTY), *words, *named))
        beat = ("beat", "--schedule", str(self.folder / "beat"), "--pidfile=", "-l", "WARNING")
        self.processes.append(self.run(str(FAULTY), *beat))

    def lose(self) -> None:
        """Lose the host, as when its power goes."""
        for process in self.processes:
            with_children(process, signal.SIGKILL)
            process.wait()
        self.processes.clear()

    @property
    def log(self) -> str:
        path = self.folder / "log.txt"
        return path.read_text() if path.exists() else ""


class Cluster:
    """Two hosts, their Redis and their S3."""

    def __init__(self, folder: Path, redis: RedisServer, endpoint: str, port: int) -> None:
        self.redis = redis
        keys = {"aws_access_key_id": "KEY", "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        self.s3 = boto3.client("s3", endpoint_url=endpoint, **keys)
        for bucket in ("lake", "state"):
            self.s3.create_bucket(Bucket=bucket)
        for key in set(WANTED) - GONE:
            self.s3.put_object(Bucket="lake", Key=key, Body=b"x")
        text = (
            f"lake: s3://lake\nstate: s3://state/recon\ninventory: inventory.yaml\n"
            f"broker: redis://:{PASSWORD}@{SERVICES}:{port}/0\n"
            f"s3: {{endpoint_url: {endpoint}, region: us-east-1}}\n"
        )
        self.hosts = [Host(number, folder / f"host{number}", text) for number in (1, 2)]

    def cycle(self, host: Host) -> None:
        assert host.run("-c", BEGIN.format(every_s=0.001)).wait(60) == 0

    def contents(self, ending: str = "") -> Iterator[tuple[str, bytes]]:
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="state"):
            for entry in page.get("Contents", []):
                with suppress(self.s3.exceptions.NoSuchKey):
                    if entry["Key"].endswith(ending):
                        found = self.s3.get_object(Bucket="state", Key=entry["Key"])
                        yield entry["Key"], found["Body"].read()

    def reports(self) -> list[dict]:
        found = [json.loads(body) for _, body in self.contents("/report.json")]
        return sorted(found, key=lambda report: report["cycle_id"])

    def queued(self) -> set[str]:
        keys = []
        for level in ("critical", "high", "medium", "low"):
            for body in self.redis.client.lrange(f"recon:queue:{level}", 0, -1):
                keys.extend(json.loads(body)["keys"])
        assert len(keys) == len(set(keys)), "a key is queued twice"
        return set(keys)

    def settled(self) -> bool:
        client = self.redis.client
        return not (client.exists("recon:cycle:lock") or client.zcard("recon:cycle:open"))

    def wait_for(self, what: Callable[[], object], patience_s: float = 120) -> None:
        give_up_at = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < give_up_at, "\n".join(host.log[-2000:] for host in self.hosts)
            time.sleep(0.1)


@pytest.fixture
def cluster(tmp_path) -> Iterator[Cluster]:
    if shutil.which("ip") is None:
        pytest.skip("no network namespaces here: iproute2 is not installed")
    with ExitStack() as stack:
        ip("addr", "add", f"{SERVICES}/32", "dev", "lo")
        stack.callback(subprocess.run, ["ip", "addr", "del", f"{SERVICES}/32", "dev", "lo"], check=False)
        with socket.create_server((SERVICES, 0)) as free:
            port = free.getsockname()[1]
        options = ("--port", str(port), "--bind", SERVICES, "--protected-mode", "no")
        redis = stack.enter_context(running(binary_of("valkey-9"), *options))
        redis.client.config_set("requirepass", PASSWORD)
        redis.client.execute_command("AUTH", PASSWORD)
        server = make_server(SERVICES, 0, DomainDispatcherApplication(create_backend_app), threaded=True)
        server.log_startup = lambda: None
        server.RequestHandlerClass.log = lambda *_: None
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        made = Cluster(tmp_path, redis, f"http://{SERVICES}:{server.server_port}", port)
        for host in made.hosts:
            host.connect(stack)
            stack.callback(host.lose)
        yield made


def test_two_hosts_run_a_cycle_together_and_survive_the_loss_of_either(cluster):
    one, two = cluster.hosts
    one.start()
    two.start()
    cluster.wait_for(lambda: cluster.reports() and cluster.settled())
    assert cluster.queued() == GONE
    truth, present = set(GONE), sorted(set(WANTED) - GONE)
    for lost, other in ((one, two), (two, one)):
        so_far, key = len(cluster.reports()), present.pop()
        cluster.s3.delete_object(Bucket="lake", Key=key)
        truth.add(key)
        cluster.cycle(lost)
        cluster.wait_for(lambda: cluster.redis.client.zcard("recon:cycle:open"))
        lost.lose()
        cluster.wait_for(lambda: len(cluster.reports()) > so_far and cluster.settled())  # noqa: B023
        cluster.cycle(other)
        cluster.wait_for(lambda: len(cluster.reports()) > so_far + 1 and cluster.settled())  # noqa: B023
        assert cluster.queued() == truth
        assert cluster.reports()[-1]["tasks"]["published"] == 0
        lost.start()
    for place, text in (*((host.name, host.log.encode()) for host in cluster.hosts), *cluster.contents()):
        assert b"c4nary" not in text, place
    for name in cluster.redis.client.scan_iter():
        assert b"c4nary" not in cluster.redis.client.dump(name), name
