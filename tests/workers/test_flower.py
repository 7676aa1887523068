"""Flower starts behind a password, or is refused; nothing of the password reaches its command line."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from recon.errors import ConfigError
from recon.settings import flower_users, load_settings, scraper_environment, tell_flower
from workers.flower import arguments, refusal


def started(tmp_path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: text for name, text in os.environ.items() if not name.startswith(("RECON_", "FLOWER_"))}
    return subprocess.run(
        [sys.executable, "-P", "-m", "workers.flower", *words],
        cwd=tmp_path, env={**plain, **variables}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.1.2.3"])
def test_without_users_only_a_local_one_may_start_and_only_when_it_is_said(address):
    assert refusal(address, None, unsafe_local=True) is None
    assert "RECON_FLOWER_AUTH" in (refusal(address, None, unsafe_local=False) or "")
    assert refusal(address, "a:b", unsafe_local=False) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "", "::", "10.0.0.1", "flower.example", "1127.0.0.1"])
def test_without_users_none_that_others_reach_may_start(address):
    assert "RECON_FLOWER_AUTH" in (refusal(address, None, unsafe_local=True) or "")
    assert refusal(address, "a:b", unsafe_local=False) is None


@pytest.mark.parametrize("said", ["keeper", "keeper:", ":word", "a:b,", "a:pass,word", "a:b,c:"])
def test_a_user_without_a_name_or_a_password_is_refused_without_being_shown(said):
    with pytest.raises(ConfigError, match="expected user:password") as caught:
        flower_users({"RECON_FLOWER_AUTH": said})
    assert said not in str(caught.value)


def test_several_users_are_told_as_they_stand():
    assert flower_users({"RECON_FLOWER_AUTH": " a:b,c:d:e "}) == "a:b,c:d:e"
    assert flower_users({"RECON_FLOWER_AUTH": " "}) is None


@pytest.mark.parametrize("words", [(), ("--unsafe-local", "--address", "0.0.0.0")])
def test_it_is_refused_with_the_next_step(tmp_path, words):
    done = started(tmp_path, *words)
    assert done.returncode == 2
    assert "RECON_FLOWER_AUTH=user:password" in done.stderr
    assert "Traceback" not in done.stderr


def test_variables_of_flower_s_own_cannot_open_the_door(monkeypatch):
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "guest:guest")
    monkeypatch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    monkeypatch.setenv("FLOWER_CONF", "mine.py")
    monkeypatch.setenv("FLOWER_MAX_TASKS", "100")
    tell_flower("keeper:word")
    assert {name: text for name, text in os.environ.items() if name.startswith("FLOWER_")} == {
        "FLOWER_BASIC_AUTH": "keeper:word",
        "FLOWER_MAX_TASKS": "100",
    }


def test_scrapers_are_not_given_the_password(monkeypatch):
    monkeypatch.setenv("RECON_FLOWER_AUTH", "keeper:word")
    assert "RECON_FLOWER_AUTH" not in scraper_environment()


def test_without_users_nothing_can_be_changed_through_it(tmp_path):
    (tmp_path / "recon.yaml").write_text("lake: lake\n")
    chosen = load_settings("recon.yaml", {}, cwd=tmp_path)
    closed = arguments(chosen, "127.0.0.1", 5555, has_users=False, persistent=True)
    assert "--read_only=true" in closed
    assert f"--db={tmp_path}/.recon/flower" in closed
    assert "--read_only=true" not in arguments(chosen, "127.0.0.1", 1, has_users=True, persistent=False)
