"""Where one place lies inside another: folders as the file system has them, prefixes of one bucket."""

from __future__ import annotations

from pathlib import Path


def below(place: str, root: str) -> str | None:
    """Return the path of ``place`` below ``root``, "" where they are one place, None where it lies elsewhere.

    Both are ``file:///path`` or ``s3://bucket[/prefix]``. Links are followed, so that one folder is one place
    under each of its names; slashes around a prefix mean nothing, as to the stores behind them.
    """
    scheme, _, inner = place.partition("://")
    outer_scheme, _, outer = root.partition("://")
    if scheme != outer_scheme:
        return None
    if scheme == "file":
        return _below_folder(Path(inner).resolve(), Path(outer).resolve())
    inner, outer = _prefix(inner), _prefix(outer)
    if inner == outer:
        return ""
    return inner.removeprefix(f"{outer}/") if inner.startswith(f"{outer}/") else None


def _below_folder(inner: Path, outer: Path) -> str | None:
    if inner == outer or (inner.exists() and outer.exists() and inner.samefile(outer)):
        return ""
    return inner.relative_to(outer).as_posix() if inner.is_relative_to(outer) else None


def _prefix(text: str) -> str:
    bucket, _, prefix = text.partition("/")
    return f"{bucket}/{prefix.strip('/')}".rstrip("/")
