"""The text of the Lua scripts, as servers get it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files


@cache
def script_text(script: str) -> str:
    """Return a script with what its family shares in front: ``queue.lua`` before ``queue_publish.lua``."""
    folder = files("recon.adapters") / "lua"
    family = script.partition("_")[0]
    return "\n".join((folder / f"{name}.lua").read_text("utf-8") for name in (family, script))
