"""Every command of the public contract is there, helped and documented, and costs nothing until called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from recon.cli import COMMANDS, LATER, recon

README = Path(__file__).parents[2] / "README.md"
#: The CLI of the public contract.
CONTRACT = {
    *("run", "daemon", "down", "validate", "plan", "apply", "gaps", "explain", "diff", "coverage", "report"),
    *("status", "doctor", "init", "schema", "completion", "queue", "absent", "work", "serve", "brake"),
    *("s3-inventory", "simulate", "pause", "resume", "alerts"),
}


def command(name: str) -> click.Command:
    found = recon.get_command(click.Context(recon), name)
    assert found is not None
    return found


def leaves() -> list[tuple[str, click.Command]]:
    """Return every command that does something, by its words: groups are their commands."""
    return [
        (" ".join([name, *inner]), found)
        for name in COMMANDS
        for inner, found in (
            [([word], each) for word, each in command(name).commands.items()]
            if isinstance(command(name), click.Group)
            else [([], command(name))]
        )
    ]


#: Packages that take a command's time to import.
HEAVY = {
    *("boto3", "botocore", "celery", "kombu", "numpy", "pandas", "polars", "pyarrow", "pydantic", "redis"),
    "rich",
}


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout


def test_the_commands_are_those_of_the_contract():
    assert {*COMMANDS, *LATER} == CONTRACT
    assert not set(COMMANDS) & set(LATER)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does(name):
    found = command(name)
    assert found.help
    assert found.help.startswith(COMMANDS[name][1].rstrip("."))


@pytest.mark.parametrize(("_name", "found"), leaves())
def test_each_option_says_what_it_does(_name, found):
    assert found.help
    for parameter in found.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.opts


@pytest.mark.parametrize(("_name", "found"), leaves())
def test_a_command_takes_config_json_and_debug(_name, found):
    options = {word for parameter in found.params for word in parameter.opts}
    assert {"--config", "--json", "--debug"} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_names_each_command(name):
    assert f"recon {name}" in README.read_text("utf-8")


@pytest.mark.parametrize("name", LATER)
def test_a_command_of_a_later_release_says_so_and_exits_2(name, capfd):
    found = command(name)
    with pytest.raises(SystemExit) as ended:
        found.main(["anything", "--json", "--config", "x"], standalone_mode=False)
    assert ended.value.code == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"recon {name}: not yet available in this release\n"


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from recon.cli import recon; recon.main(['--help'], standalone_mode=False); "
        "print(*sys.modules)"
    )
    assert not HEAVY & set(python(code).splitlines()[-1].split())


@pytest.mark.parametrize("module", ["recon.access", "workers.driver", "workers.celery_config"])
def test_what_watches_a_cycle_starts_without_the_engine(module, finished):
    code = (
        f"import os, sys; os.chdir({str(finished.folder)!r}); os.environ.pop('RECON_CONFIG', None); "
        f"import {module}; print(*sys.modules)"
    )
    engine = HEAVY - {"celery", "kombu", "pydantic", "redis"}
    assert not engine & set(python(code).split())


@pytest.mark.parametrize(
    "words", [("queue", "ls"), ("queue", "peek"), ("queue", "dead"), ("status",)], ids=" ".join
)
def test_a_look_at_queues_and_status_starts_without_the_engine(words, finished):
    code = f"""
import os, sys
os.chdir({str(finished.folder)!r})
from recon.cli import recon
recon.main([*{words!r}, "--json"], standalone_mode=False)
print(*sys.modules)
"""
    assert not HEAVY - {"pydantic", "redis"} & set(python(code).splitlines()[-1].split())


def test_a_cycle_imports_no_pandas(finished):
    code = f"""
import os, sys
os.chdir({str(finished.folder)!r})
from recon.cli import recon
try:
    recon.main(["run", "--inline", "--json"], standalone_mode=False)
except SystemExit as ended:
    assert ended.code == 0
print("pandas" in sys.modules)
"""
    assert python(code).splitlines()[-1] == "False"


def test_a_misspelled_command_is_answered_with_the_right_one(finished):
    done = finished.recon("gap")
    assert done.returncode == 2
    assert "did you mean 'gaps'?" in done.stderr


@pytest.mark.parametrize("words", [("gaps", "--keyz"), ("run", "--use-cach"), ("explain",), ("schema", "x")])
def test_a_misused_command_exits_2_in_words(finished, words):
    done = finished.recon(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr
