"""The SDK stays small in the process that it is imported into."""

from __future__ import annotations

import json
import subprocess
import sys

import recon.sdk

PROBE = """
import json, sys, time
begun = time.process_time()
from recon.sdk import AsyncConsumer, Consumer
print(json.dumps([time.process_time() - begun, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
HEAVY = {"celery", "boto3", "botocore", "numpy", "pandas", "polars", "pyarrow", "pydantic", "yaml", "click"}
MOST_CPU_S = 0.25


def test_importing_it_takes_little_time_and_none_of_the_engine():
    took = []
    for _ in range(5):
        done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True)
        seconds, modules = json.loads(done.stdout)
        assert not HEAVY & set(modules)
        took.append(seconds)
        if seconds < MOST_CPU_S:
            return
    assert min(took) < MOST_CPU_S


def test_everything_that_it_offers_is_there():
    assert all(hasattr(recon.sdk, name) for name in recon.sdk.__all__)
