"""What the locks install."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: The first releases without holes that were published: CVE-2022-51020 and CVE-2022-30034, CVE-2021-23727.
SOUND = {"flower": (2, 2, 0), "celery": (5, 2, 2)}


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"])
def test_releases_with_known_holes_are_not_installed(lock, name):
    (found,) = re.findall(rf"^{name}(?:\[[a-z,]+\])?==([0-9.]+)", (ROOT / lock).read_text(), re.MULTILINE)
    assert tuple(map(int, found.split("."))) >= SOUND[name]
