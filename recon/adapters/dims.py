"""DIMS metrics: in the YAML file that other programs keep theirs in too, or by a command.

Owns, in the file, the section ``<category>:`` and ``metadata.last_updated``; beside it
``historical/<date>.yaml``, the file as it was last written that day (UTC).
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from recon.core.dims import command_line
from recon.errors import MetricsError
from recon.masking import is_secret, masked_values

#: Larger files are no metrics.
_MAX_BYTES = 16 * 1024 * 1024
#: Programs that do not know our lock may write meanwhile: the file is then read again, this often.
_TRIES = 5
#: Characters of a command's last words that a message repeats.
_TAIL = 300


class DimsFile:
    """A ``MetricsRegistry`` in a YAML file; its other sections, and comments, stay as they are."""

    def __init__(self, file: Path, category: str) -> None:
        self._file = file
        self._category = category

    def update(self, values: Mapping[str, str | int], at: datetime) -> None:
        """Put the values into the file, by way of a new one beside it, and copy it into ``historical/``."""
        file = Path(os.path.realpath(self._file))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with _locked(file.parent):
                content = self._replaced(file, values, at)
            history = file.parent / "historical" / f"{at.astimezone(UTC):%Y-%m-%d}.yaml"
            history.parent.mkdir(exist_ok=True)
            _write(history, content, lambda: True)
        except OSError as error:
            raise MetricsError(
                f"the DIMS metrics in {self._file} were not written: {error.strerror or error}. Check "
                "integration.dims.metrics_file in recon.yaml, the folder's owner and free space"
            ) from error

    def _replaced(self, file: Path, values: Mapping[str, str | int], at: datetime) -> bytes:
        for _ in range(_TRIES):
            before = _stamp(file)
            content = self._edited(_read(file), values, at)
            if _write(file, content, lambda seen=before: _stamp(file) == seen):  # type: ignore[misc]
                return content
        raise MetricsError(
            f"the DIMS metrics in {self._file} were not written: another program wrote the file each of "
            f"{_TRIES} times that it was read. The next cycle tries again"
        )

    def _edited(self, content: bytes, values: Mapping[str, str | int], at: datetime) -> bytes:
        from ruamel.yaml import YAML  # noqa: PLC0415 - takes 40 ms, and is needed once a cycle
        from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above
        from ruamel.yaml.util import load_yaml_guess_indent  # noqa: PLC0415 - as above

        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 1 << 20
        yaml.representer.add_representer(type(None), _written_null)
        try:
            text = content.decode("utf-8-sig")
            _, indent, offset = load_yaml_guess_indent(text)
            yaml.indent(mapping=2, sequence=indent or 2, offset=offset or 0)
            document = yaml.load(text)
        except (YAMLError, UnicodeDecodeError) as error:
            raise MetricsError(self._refused(f"it cannot be read ({error})")) from error
        alone = text if document is None else ""  # of nothing but comments, which no value carries
        document = {} if document is None else document
        own = self._section(document, self._category)
        now = _iso(at)
        for name, value in values.items():
            own[name] = {
                "value": value,
                "last_verified": now,
                "verification_method": "automated",
                "cached": False,
                "cache_expires": None,
            }
        self._section(document, "metadata")["last_updated"] = now
        sink = io.StringIO()
        yaml.dump(document, sink)
        return f"{alone.rstrip()}\n{sink.getvalue()}".lstrip().encode()

    def _section(self, document: Any, name: str) -> MutableMapping[str, Any]:
        if not isinstance(document, MutableMapping):
            raise MetricsError(self._refused("it holds no sections; expected `name:` lines at its top level"))
        if document.get(name) is None:
            document[name] = {}
        section = document[name]
        if not isinstance(section, MutableMapping):
            raise MetricsError(self._refused(f"`{name}` is no section; another program seems to own it"))
        return section

    def _refused(self, why: str) -> str:
        return (
            f"the DIMS metrics in {self._file} were not written, and the file is as it was: {why}. Mend it, "
            "or set integration.dims.metrics_file or category in recon.yaml to another one"
        )


@dataclass(frozen=True, slots=True)
class DimsCommand:
    """A ``MetricsRegistry`` behind a command: called once for each metric, never through a shell.

    The first one that fails, or takes longer than ``timeout_s``, ends the update.
    """

    command: Sequence[str]
    timeout_s: float
    env: Mapping[str, str]

    def update(self, values: Mapping[str, str | int], at: datetime) -> None:
        """Call the command for each metric."""
        del at
        for metric, value in values.items():
            self._call(metric, command_line(self.command, metric, value))

    def _call(self, metric: str, words: list[str]) -> None:
        # A file, not a pipe: what the command leaves running would hold a pipe open.
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - what the configuration names, and no shell
                    words,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=dict(self.env),
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or error
                raise MetricsError(self._failed(metric, f"{self.command[0]}: {reason}")) from error
            try:
                code = process.wait(self.timeout_s)
            except subprocess.TimeoutExpired as error:
                told = f"it took longer than integration.dims.timeout ({self.timeout_s:g} s) and was ended"
                raise MetricsError(self._failed(metric, told)) from error
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            if code != 0:
                raise MetricsError(self._failed(metric, f"exit status {code}{_last_words(output)}"))

    def _failed(self, metric: str, why: str) -> str:
        told = f"the command of integration.dims failed for {metric}: {why}. Call it by hand to see more"
        return masked_values(told, _secrets(self.command))


def _secrets(command: Sequence[str]) -> Iterator[str]:
    """Yield what options with the names of secrets are given, after them or after their ``=``."""
    for number, word in enumerate(command):
        name, given, value = word.partition("=")
        if not name.startswith("-") or not is_secret(name.lstrip("-")):
            continue
        if given:
            yield value
        elif number + 1 < len(command):
            yield command[number + 1]


def _last_words(output: Any) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - 4 * _TAIL))
    text = " ".join(output.read().decode("utf-8", "replace").split())[-_TAIL:]
    return f", {text}" if text else ""


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other processes of ours; a file system without locks is written without."""
    import fcntl  # noqa: PLC0415 - POSIX only, as is what follows

    handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            content = source.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return b""
    if len(content) > _MAX_BYTES:
        raise MetricsError(
            f"{file} is larger than {_MAX_BYTES >> 20} MiB: no DIMS metrics were written there"
        )
    return content


def _write(file: Path, content: bytes, unless_changed: Callable[[], bool]) -> bool:
    """Write aside, then rename over ``file`` if ``unless_changed`` still says so; return whether it was."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    aside = Path(name)
    try:
        with os.fdopen(handle, "wb") as sink:
            sink.write(content)
            sink.flush()
            os.fsync(sink.fileno())
        aside.chmod(_mode(file))
        if not unless_changed():
            return False
        aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)
    return True


def _mode(file: Path) -> int:
    """Return the permissions of the file; those of a new one where there is none."""
    with suppress(FileNotFoundError):
        return file.stat().st_mode & 0o7777
    return 0o644


def _written_null(representer: Any, _: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
