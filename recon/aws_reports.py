"""Find the AWS S3 Inventory report to believe: the newest of the right bucket that holds together.

Layout: ``<prefix>/<source bucket>/<configuration id>/<YYYY-MM-DDTHH-MMZ>/manifest.json``
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from recon.core.aws_manifest import (
    MANIFEST_MAX_BYTES,
    Manifest,
    check_origin,
    read_manifest,
)
from recon.core.sketch import Sketch
from recon.errors import LakeError, ReportError
from recon.model import Notice
from recon.plan import Judgement
from recon.ports import ReportFiles, ReportFilter, StateStore
from recon.threads import Threads

_REFUSED = "aws_reports/refused.json"
_FOLDER = re.compile(r"/\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z/$")
#: When a report is tried again of which a file could not be had.
_HAD_AGAIN = timedelta(minutes=15)
#: Reports that are tried, newest first: each costs two requests.
_TRIED_MAX = 8


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """Where reports of a bucket are delivered: below ``prefix``, by one configuration if its id is told.

    ``root`` is the lake's folder in the bucket, ``cover`` the prefixes below it that a report must tell of;
    ``oldest`` the age up to which a report is believed.
    ``sample_instead`` tells that a listing that stands in for a report may be a sample.
    """

    bucket: str
    prefix: str
    config_id: str | None
    oldest: timedelta
    root: bytes = b""
    sample_instead: bool = True
    cover: tuple[bytes, ...] = (b"",)


@dataclass(frozen=True, slots=True)
class AwsReport:
    """One report: the key of its manifest in the destination, what that says, the lake's folder in it."""

    key: str
    manifest: Manifest
    root: bytes


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a report was not chosen, or no report at all: then there is no dated ``folder``."""

    reason: str
    folder: str | None = None

    def __str__(self) -> str:
        return self.reason if self.folder is None else f"{self.folder}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The report to use, or None; why newer ones were not; and the LISTs and GETs it took to know."""

    report: AwsReport | None = None
    refusals: tuple[Refusal, ...] = ()
    lists: int = 0
    gets: int = 0

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Return what a person should know of it."""
        if not self.refusals:
            return ()
        why = "; ".join(map(str, self.refusals))
        if self.report is None:
            return (Notice(f"no AWS S3 Inventory report can be used, so the lake is listed live: {why}"),)
        age = f"{self.report.manifest.as_of:%Y-%m-%d %H:%M} UTC"
        return (Notice(f"the AWS S3 Inventory report of {age} is used, not a newer one: {why}"),)


class _Search:
    """One search through a destination bucket; counts its requests."""

    def __init__(self, destination: ReportFiles, place: ReportPlace, pool: Executor) -> None:
        self._destination = destination
        self._pool = pool
        self.place = place
        self.lists = self.gets = 0

    def folders(self) -> list[str]:
        """Return the dated folders of the configuration, newest first; raise ``ReportError`` for none."""
        configs: dict[str, list[str]] = {}
        for folder in self._level(self._bases()):
            configs.setdefault(_name(folder), []).append(folder)
        if not configs:
            raise ReportError(f"there is none below {self._bases()[0]} yet; the first takes up to 48 hours")
        config_id = self._chosen(configs)
        asked = self._pool.submit(self._destination.filter_of, config_id)
        dated = self._level(configs[config_id])
        self._check_filter(config_id, asked.result())
        return sorted(filter(_FOLDER.search, dated), key=_name, reverse=True)

    def _chosen(self, configs: Mapping[str, list[str]]) -> str:
        """Return the configuration to read; raise ``ReportError`` where it is not clear."""
        wanted = self.place.config_id
        if wanted is None and len(configs) > 1:
            raise ReportError(
                f"several configurations report there ({', '.join(sorted(configs))}); "
                "set s3.inventory_config_id to one of them"
            )
        if wanted is not None and wanted not in configs:
            raise ReportError(
                f"none is of s3.inventory_config_id {wanted!r}; there are {', '.join(sorted(configs))}"
            )
        return next(iter(configs)) if wanted is None else wanted

    def _check_filter(self, config_id: str, told: ReportFilter) -> None:
        """Raise ``ReportError`` where a report leaves out keys of the lake: they would look missing."""
        self.gets += told.requests
        place = self.place
        for cover in place.cover:
            looked_at = (place.root + cover).decode("utf-8", "replace")
            if not looked_at.startswith(told.prefix):
                raise ReportError(
                    f"the configuration {config_id} reports only keys below {told.prefix}, which leaves out "
                    f"keys of {looked_at or 'the whole bucket'}: widen it (recon s3-inventory enable)"
                )

    def manifest(self, folder: str) -> Manifest:
        """Return the manifest of a dated folder; raise ``ReportError`` where it does not hold."""
        names = (f"{folder}manifest.checksum", f"{folder}manifest.json")
        asked = [self._pool.submit(self._destination.read, name.encode()) for name in names]
        try:
            checksum, content = (self._counted(answer) for answer in asked)
        except LakeError as error:
            raise ReportError(f"its manifest cannot be read, or is not written yet: {error}") from error
        if len(content) > MANIFEST_MAX_BYTES:
            raise ReportError(f"manifest.json exceeds {MANIFEST_MAX_BYTES >> 20} MiB")
        return read_manifest(content, checksum, hashlib.md5(content, usedforsecurity=False).hexdigest())

    def _counted(self, answer: Future[bytes]) -> bytes:
        try:
            content = answer.result()
        except LakeError as error:
            self.gets += error.requests
            raise
        self.gets += self.lists > 0  # a folder on disk takes no requests
        return content

    def _bases(self) -> list[str]:
        # A destination prefix that ends in a slash gets another one from AWS.
        told = self.place.prefix
        tops = dict.fromkeys(f"{prefix}/" if prefix else "" for prefix in (told.rstrip("/"), told))
        return [f"{top}{self.place.bucket}/" for top in tops]

    def _level(self, folders: Sequence[str]) -> list[str]:
        """Return the folders that lie in some folders."""
        asked = [self._pool.submit(self._destination.folders, folder.encode()) for folder in folders]
        names: list[str] = []
        for answer in asked:
            try:
                found = answer.result()
            except LakeError as error:
                self.lists += error.requests
                raise ReportError(f"reports cannot be looked for: {error}") from error
            self.lists += found.requests
            names += [prefix.decode("utf-8", "replace") for prefix in found.prefixes]
        return names


def chosen(files: ReportFiles, state: StateStore, place: ReportPlace, now: datetime) -> Choice:
    """Return the newest report that holds, without those that were found broken before."""
    return choice(files, place, refused(state, now), now)


def choice(destination: ReportFiles, place: ReportPlace, refused: Mapping[str, str], now: datetime) -> Choice:
    """Return the newest report that holds; ``refused`` maps manifests found broken before to the reason."""
    with Threads(max_workers=3, thread_name_prefix="reports") as pool:
        search = _Search(destination, place, pool)
        report, refusals = _newest(search, refused, now)
    return Choice(report, tuple(refusals), search.lists, search.gets)


def _newest(
    search: _Search, refused: Mapping[str, str], now: datetime
) -> tuple[AwsReport | None, Sequence[Refusal]]:
    """Return the newest report that holds, or None, and why newer ones do not."""
    refusals: list[Refusal] = []
    try:
        folders = search.folders()
    except ReportError as reason:
        return None, [Refusal(str(reason))]
    for folder in folders[:_TRIED_MAX]:
        try:
            report = _checked(search, folder, refused, now)
        except ReportError as reason:
            refusals.append(Refusal(str(reason), folder))
        else:
            return report, refusals
    return None, refusals or [Refusal("there is none yet")]


def _checked(search: _Search, folder: str, refused: Mapping[str, str], now: datetime) -> AwsReport:
    """Return the report of a dated folder; raise ``ReportError`` where it does not hold."""
    key, place = f"{folder}manifest.json", search.place
    if key in refused:
        raise ReportError(refused[key])
    day = dated(folder)
    if day is None:
        raise ReportError(f"{_name(folder)} is no date")
    if now - day > place.oldest + timedelta(days=1):
        raise ReportError("it is older than s3.max_report_age")
    manifest = search.manifest(folder)
    check_origin(manifest, place.bucket, now, place.oldest)
    _check_configuration(manifest, folder)
    return AwsReport(key, manifest, place.root)


def refuse_unread(state: StateStore, judged: Judgement, sketch: Sketch, now: datetime) -> None:
    """Raise ``ReportError`` where a cycle's report could not be read whole; the next cycle takes another way.

    A file that is not what its manifest tells will not become so; one that could not be had may be, later.
    """
    report = judged.plan.report
    if report is None:
        return
    for shard in judged.scanned:
        result = sketch.shards.get(shard.id)
        if result is not None and result.complete:
            continue
        reason = f"{shard.file} was not read" if result is None else str(result.facts.failure)
        lasting = result is not None and result.facts.refused
        refuse(state, report.key, reason, None if lasting else now + _HAD_AGAIN)
        raise ReportError(
            f"the AWS S3 Inventory report {report.key} is refused whole: {reason}. Nothing is concluded from "
            "it; the next source is used: an older report, or a listing."
        )


def _check_configuration(manifest: Manifest, folder: str) -> None:
    """Raise ``ReportError`` where a manifest names data of another configuration than the folder it lies in.

    Older layouts keep data elsewhere, and copies move: only ``<configuration>/data/`` beside it can tell.
    """
    own = folder[: -len(_name(folder)) - 1]
    beside = own[: -len(_name(own)) - 1]
    for file in manifest.files:
        config, _, rest = file.key.removeprefix(beside).partition("/")
        if file.key.startswith(beside) and rest.startswith("data/") and config != _name(own):
            raise ReportError(f"manifest.json is of the configuration {config!r}: it names {file.key}")


def refused(state: StateStore, now: datetime) -> dict[str, str]:
    """Return the manifests whose reports were found broken, with the reason of each."""
    return {
        key: reason for key, (reason, until) in _remembered(state).items() if until is None or until > now
    }


def refuse(state: StateStore, key: str, reason: str, until: datetime | None) -> None:
    """Remember that the report of a manifest is broken, for good or ``until`` an instant."""
    known = _remembered(state)
    known.pop(key, None)  # the latest stand last, and stay
    known[key] = (reason, until)
    kept = list(known.items())[-_TRIED_MAX:]
    document = {
        name: {"reason": why, "until": None if end is None else end.isoformat()} for name, (why, end) in kept
    }
    state.put(_REFUSED, json.dumps(document).encode())


def _remembered(state: StateStore) -> dict[str, tuple[str, datetime | None]]:
    """Return what was refused, and until when; what cannot be read is forgotten, and found broken again."""
    try:
        document = json.loads(state.get(_REFUSED) or b"{}")
        return {
            key: (str(entry["reason"]), None if entry["until"] is None else _instant(entry["until"]))
            for key, entry in document.items()
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def _instant(text: str) -> datetime:
    """Return an instant with a zone; raise ``ValueError`` for others."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(text)
    return instant


def _name(folder: str) -> str:
    """Return the last name of a folder's path."""
    return folder.rstrip("/").rpartition("/")[2]


def dated(folder: str) -> datetime | None:
    """Return when the scan of a dated folder's report began, by its name; None where that is no date."""
    try:
        return datetime.strptime(_name(folder), "%Y-%m-%dT%H-%MZ").replace(tzinfo=UTC)
    except ValueError:
        return None
