"""A state folder whose disk is full, or turns read-only, under running workers."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from installation import CONTROL, GONE, SCAN, site_in

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def site(tmp_path):
    state = tmp_path / ".recon"
    state.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(state)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        with site_in(tmp_path) as made:
            made.start(*CONTROL)
            made.start(*SCAN)
            yield made
    finally:
        subprocess.run(["umount", "-l", str(state)], check=True)


def fails_and_heals(site, told: str, mend) -> None:
    site.scheduled_cycle(0.001)
    log = site.folder / "log.txt"
    site.wait_for(lambda: told in log.read_text())
    site.wait_for(site.settled)
    assert site.queued() in (set(), GONE)
    assert not [report for report in site.reports() if report["verdicts"]["missing"] != len(GONE)]
    mend()
    so_far = len(site.reports())
    site.scheduled_cycle(0.001)
    site.wait_for(lambda: len(site.reports()) > so_far and site.settled())
    assert site.queued() == GONE


def test_a_state_whose_disk_is_full_fails_cycles_in_words_and_the_next_one_heals(site):
    ballast = site.folder / ".recon/ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    fails_and_heals(site, "No space left on device", ballast.unlink)


def test_a_state_that_turns_read_only_fails_cycles_in_words_and_the_next_one_heals(site):
    def remount(how: str) -> None:
        words = ["mount", "-o", f"remount,{how}", str(site.folder / ".recon")]
        subprocess.run(words, check=True)

    site.scheduled_cycle(0.001)
    site.wait_for(lambda: site.reports() and site.settled())
    remount("ro")
    fails_and_heals(site, "Read-only file system", lambda: remount("rw"))
