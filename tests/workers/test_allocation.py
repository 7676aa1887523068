"""A worker's threads share one heap."""

from __future__ import annotations

import subprocess
import sys


def test_arrow_takes_memory_from_the_process_heap_in_a_worker():
    code = "import workers.app, pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "system"
