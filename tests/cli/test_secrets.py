"""A canary in every address that may hold a secret: no command shows it, whatever goes wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import called

CANARY = "c4nary+c4nary"
INVENTORY = """
dimensions: {n: {integers: "0..2"}}
expected_coverage: {nba: {data_types: {box: {path_patterns: ["box/{n}.json"]}}}}
"""
#: Nobody listens on port 1.
WITH_SECRETS = {
    "a lake": f"lake: s3://KEY:{CANARY}@bucket/x\n",
    "a lake without its bucket": f"lake: s3://KEY:{CANARY}\n",
    "a state": f"lake: data\nstate: s3://KEY:{CANARY}/x@bucket\n",
    "a broker": f"lake: data\nbroker: redis://user:{CANARY}@127.0.0.1:1/0\n",
    "a broker's parameters": f"lake: data\nbroker: redis://127.0.0.1:1/0?password={CANARY}\n",
    "the queues": f"lake: data\nqueues: {{url: 'redis://:{CANARY}@127.0.0.1:1/0'}}\n",
    "a broker with no port": f"lake: data\nbroker: redis://user:{CANARY}/x@127.0.0.1:1/0\n",
    "another kind of broker": f"lake: data\nbroker: amqp://user:{CANARY}@127.0.0.1\n",
    "an endpoint": f"lake: s3://bucket\ns3: {{endpoint_url: 'http://KEY:{CANARY}@127.0.0.1:1'}}\n",
    "an endpoint of the state": (
        f"lake: data\nstate: s3://bucket\nbroker: redis://127.0.0.1:1\n"
        f"s3: {{region: x, endpoint_url: 'http://KEY:{CANARY}@127.0.0.1:1'}}\n"
    ),
    "an endpoint that is none": f"lake: s3://bucket\ns3: {{endpoint_url: 'ftp://KEY:{CANARY}@[x'}}\n",
    "the wrong key": f"lake: data\nstate_shared: redis://user:{CANARY}@127.0.0.1:1\n",
}


#: What takes a second or more is asked of the addresses that it gets as far as using.
USED = ("a lake", "a broker", "the queues")
SHOWN = [
    *((name, ("validate",)) for name in WITH_SECRETS),
    *((name, ("run", "--inline")) for name in WITH_SECRETS if name != "an endpoint"),
    *((name, ("doctor", "--debug")) for name in (*USED, "an endpoint")),
]


@pytest.mark.parametrize(
    ("name", "words"), SHOWN, ids=lambda part: part if isinstance(part, str) else part[0]
)
def test_no_command_shows_the_secret_of_an_address(tmp_path, name, words):
    text = WITH_SECRETS[name]
    (tmp_path / "data").mkdir()
    (tmp_path / "inventory.yaml").write_text(INVENTORY)
    loop = "reconciliation_loop: {max_retries: 0}\n"
    (tmp_path / "recon.yaml").write_text(f"{text}inventory: inventory.yaml\n{loop}")
    environment = {
        "PYTHONPATH": os.pathsep.join(sys.path),
        "AWS_ENDPOINT_URL_S3": f"http://KEY:{CANARY}@127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "KEY",
        "AWS_SECRET_ACCESS_KEY": CANARY,
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    shown = recon(tmp_path, environment, *words, is_used=name in USED)
    if (tmp_path / ".recon" / "broker").exists():
        recon(tmp_path, environment, "down")
    assert shown
    assert "c4nary" not in shown


def recon(folder: Path, environment: dict[str, str], *words: str, is_used: bool = True) -> str:
    """Return everything that a command prints; the doctor, and what gets as far as a server, as a process."""
    if words[0] == "validate" or (words[0] == "run" and not is_used):
        done = called(folder, (*words, "--config", "recon.yaml"), environment)
        return done.stdout + done.stderr
    done = subprocess.run(
        [sys.executable, "-c", "from recon.cli import main; main()", *words, "--config", "recon.yaml"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr
