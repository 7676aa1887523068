"""The processes that Procfile, docker-compose.yml and the systemd units start, in one shape."""

from __future__ import annotations

import re
import shlex
import sys
from configparser import RawConfigParser
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
UNITS = sorted((ROOT / "config/systemd").glob("*.service"))
#: Where each file says that the programs are.
_BIN = re.compile(r"^(\.venv/bin|/opt/recon/\.venv/bin|/opt/recon/bin)/")


@dataclass(frozen=True)
class Process:
    """One process: its words without the folder of the program, and the variables set before them."""

    words: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Return what starts it here."""
        return [str(Path(sys.executable).with_name(self.words[0])), *self.words[1:]]


def procfile() -> dict[str, Process]:
    found = {}
    for line in (ROOT / "Procfile").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, _, command = line.partition(": ")
        words = shlex.split(command)
        at = words.index("exec")
        found[name] = Process(_words(words[at + 1 :]), dict(word.split("=", 1) for word in words[:at]))
    return found


def units() -> dict[str, Process]:
    found = {}
    for path in UNITS:
        service = unit(path)["Service"]
        words = shlex.split(service["ExecStart"].replace("%%", "%"))
        variables = dict(word.split("=", 1) for word in shlex.split(service.get("Environment", "")))
        found[path.stem.removeprefix("recon-")] = Process(_words(words), variables)
    return found


def unit(path: Path) -> RawConfigParser:
    read = RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    read.optionxform = str  # type: ignore[method-assign,assignment]
    read.read_string(path.read_text("utf-8"))
    return read


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))


def containers() -> dict[str, Process]:
    """Return recon's own containers; the variables are those that no other of them has."""
    services = {name: one for name, one in compose()["services"].items() if "build" in one}
    common = set.intersection(*(set(one["environment"]) for one in services.values()))
    return {
        name: Process(
            tuple(one["command"]),
            {key: text for key, text in one["environment"].items() if key not in common},
        )
        for name, one in services.items()
    }


def _words(words: list[str]) -> tuple[str, ...]:
    return (_BIN.sub("", words[0]), *words[1:])
