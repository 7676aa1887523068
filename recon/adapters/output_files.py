"""Files that other programs read, such as ``inventory/gaps.json``: written aside, then renamed into place.

Owns ``<name>`` and, while it is written, ``<name>.part`` beside it; both below the working directory, or
wherever an absolute name says.
"""

from __future__ import annotations

import os
from pathlib import Path

from recon.errors import StateError


class OutputFiles:
    """An ``Outputs`` port over a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, content: bytes) -> None:
        """Write ``content`` whole under ``name``; a reader sees the old file or the new one."""
        path = self._folder / name
        aside = path.with_name(f"{path.name}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
        except OSError as error:
            raise StateError(
                f"cannot write {path}: {error.strerror or error}. Check task_queue.output_file in recon.yaml "
                "and the folder's owner and free space.",
            ) from error
