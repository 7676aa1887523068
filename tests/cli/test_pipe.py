"""A reader that closes its pipe early ends nothing in an error."""

from __future__ import annotations

import subprocess

import pytest
from terminal import RECON


def first_line_only(place, *words):
    """Run a command, read one line of it, close the pipe; return (line, exit code, stderr)."""
    child = subprocess.Popen(
        [*RECON, *words], cwd=place.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    line = child.stdout.readline()
    child.stdout.close()
    _, said = child.communicate(timeout=100)
    return line, child.returncode, said


@pytest.mark.parametrize("words", [("gaps", "--keys"), ("gaps", "--keys", "--json"), ("coverage", "--table")])
def test_a_command_whose_reader_has_seen_enough_is_quiet(finished, words):
    line, code, said = first_line_only(finished, *words)
    assert line
    assert (code, said) == (0, b"")


def test_a_run_whose_reader_has_seen_enough_keeps_its_exit_code(finished):
    _, code, said = first_line_only(finished, "run", "--inline", "--json", "--fail-on", "low")
    assert (code, said) == (3, b"")
