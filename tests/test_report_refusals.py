"""Every fault that a report can have, through whole cycles: nothing is missing because of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aws_reports import CURRENT, KINDS, Report, file_schema, into, put_manifest, rows, with_body, write_report
from cycle_place import GONE, Place, lake_place

from recon.aws_reports import ReportPlace
from recon.core.aws_manifest import FILES_MAX
from recon.errors import ReportError


@dataclass
class Delivered:
    """A report that says half of the lake is gone, before it is broken, and the folder it lies in."""

    root: Path
    report: Report

    def path(self, key: str) -> Path:
        return self.root / key

    @property
    def manifest(self) -> Path:
        return self.path(self.report.manifest)

    @property
    def checksum(self) -> Path:
        return self.path(f"{self.report.folder}manifest.checksum")

    @property
    def file(self) -> Path:
        return self.path(self.report.files[1])

    def say(self, **told: object) -> None:
        """Let the manifest say something else, and its checksum fit."""
        put_manifest(into(self.root), self.report.folder, self.report.document | told)

    def hold(self, body: bytes) -> None:
        """Let a data file hold something else, and the manifest and its checksum fit."""
        with_body(into(self.root), self.report, body, 1)


def half_written(found: Delivered) -> None:
    content = found.manifest.read_bytes()
    found.manifest.write_bytes(content[: len(content) // 2])


def longer(found: Delivered) -> None:
    found.file.write_bytes(found.file.read_bytes() + b"\0")


def altered(found: Delivered) -> None:
    content = bytearray(found.file.read_bytes())
    content[len(content) // 2] ^= 1
    found.file.write_bytes(content)


def cut(found: Delivered) -> None:
    content = found.file.read_bytes()
    found.hold(content[: len(content) * 2 // 3])


def bomb(found: Delivered) -> None:
    found.hold(
        gzip.compress(b'"lake","%s","1","2025-11-01T01:00:00.000Z","",""\n' % (b"k" * 100_000) * 1000, 9)
    )


def of_another_configuration(found: Delivered) -> None:
    told = json.dumps(found.report.document["files"]).replace("/daily/", "/weekly/")
    found.say(files=json.loads(told))


def begun(ago: timedelta) -> Callable[[Delivered], None]:
    at = datetime.now(UTC) - ago
    return lambda found: found.say(creationTimestamp=str(round(at.timestamp() * 1000)))


def of_columns(*columns: str) -> Callable[[Delivered], None]:
    return lambda found: found.say(fileSchema=file_schema(str(found.report.document["fileFormat"]), columns))


def of_many_files(found: Delivered) -> None:
    files = [{"key": f"d/{number}", "size": 1, "MD5checksum": "0" * 32} for number in range(FILES_MAX + 1)]
    found.say(files=files)


#: What is done to a report, and what must be said of it; ``{file}`` is the data file it is done to.
BAD = {
    "no checksum": ("CSV", lambda found: found.checksum.unlink(), "manifest.checksum"),
    "an empty checksum": (
        "CSV",
        lambda found: found.checksum.write_bytes(b""),
        "manifest.checksum holds no MD5",
    ),
    "another checksum": ("CSV", lambda found: found.checksum.write_bytes(b"0" * 32), "does not have the MD5"),
    "half a manifest": ("CSV", half_written, "manifest.json does not have the MD5"),
    "no manifest": ("CSV", lambda found: found.manifest.unlink(), "manifest.json"),
    "another bucket": (
        "CSV",
        lambda found: found.say(sourceBucket="other"),
        "is of bucket 'other', not of 'lake'",
    ),
    "another configuration": ("CSV", of_another_configuration, "is of the configuration 'weekly'"),
    "the future": ("CSV", begun(timedelta(days=-1)), "is of the future"),
    "ten days ago": ("CSV", begun(timedelta(days=10)), "over s3.max_report_age"),
    "no files": ("CSV", lambda found: found.say(files=[]), "lists no files"),
    "too many files": ("CSV", of_many_files, "at most 20,000 can be read"),
    "a missing part": ("Parquet", lambda found: found.file.unlink(), "cannot read {file}"),
    "another size": ("ORC", longer, "{file} has "),
    "another MD5": ("CSV", altered, "{file} does not have the MD5"),
    "a bomb": ("CSV", bomb, "{file}: it unpacks to more than 500 times"),
    **{f"cut {kind}": (kind, cut, "{file}: it cannot be read as " + kind) for kind in KINDS},
    **{f"a column more in {kind}": (kind, of_columns(*CURRENT[:-1]), "columns") for kind in KINDS},
    **{
        f"a column less in {kind}": (kind, of_columns(*CURRENT, "replication_status"), "columns")
        for kind in KINDS
    },
    "columns in another order in CSV": ("CSV", of_columns(*CURRENT[::-1]), "other columns than its manifest"),
}


def deliver(place: Place, root: Path, kind: str, *, hours_ago: float, step: int = 1) -> Report:
    """Deliver a report of every ``step``-th object of the lake."""
    objects = place.server.objects
    told = rows(objects.keys, objects.sizes, objects.mtimes)[::step]
    at = datetime.now(UTC) - timedelta(hours=hours_ago)
    return write_report(into(root), [told[part::3] for part in range(3)], kind=kind, at=at)


def settled(place: Place) -> dict:
    """Return a cycle's result; a report that only its reading refutes ends one attempt before."""
    try:
        return place.cycle(confirm_requests_max=0)
    except ReportError:
        return place.cycle(confirm_requests_max=0)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_report_makes_nothing_missing_and_the_next_source_is_used(valkey, monkeypatch, tmp_path, name):
    kind, damage, reason = BAD[name]
    with lake_place(valkey, monkeypatch, reports=tmp_path) as place:
        place.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))
        bad = Delivered(tmp_path, deliver(place, tmp_path, kind, hours_ago=2, step=2))
        damage(bad)
        by_listing = settled(place)
        older = deliver(place, tmp_path, kind, hours_ago=26)
        by_older = settled(place)
        assert by_listing["observed"]["source"] == "listing"
        assert by_older["observed"]["report"] == older.manifest
        for report in (by_listing, by_older):
            assert report["verdicts"]["missing"] == len(GONE)
            said = next(line for line in report["warnings"] if bad.report.folder in line)
            # A folder's errors name the whole path; a manifest's and a check's, the key.
            assert all(part in said for part in reason.split("{file}"))
            assert "{file}" not in reason or bad.report.files[1] in said
        assert place.queued() == GONE


@pytest.mark.parametrize("kind", ["Parquet", "ORC"])
def test_columns_in_another_order_are_found_by_their_names(valkey, monkeypatch, tmp_path, kind):
    with lake_place(valkey, monkeypatch, reports=tmp_path) as place:
        place.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))
        of_columns(*CURRENT[::-1])(Delivered(tmp_path, deliver(place, tmp_path, kind, hours_ago=2)))
        assert place.cycle(confirm_requests_max=0)["observed"]["source"] == "aws_inventory"
        assert place.queued() == GONE


def test_one_data_file_that_is_denied_makes_nothing_missing(valkey, monkeypatch, tmp_path):
    with lake_place(valkey, monkeypatch) as place:
        place.reports = ReportPlace("lake", "inventory", None, timedelta(hours=48))
        bad = deliver(place, tmp_path, "Parquet", hours_ago=2, step=2)
        for path in filter(Path.is_file, tmp_path.rglob("*")):
            place.server.objects.put(str(path.relative_to(tmp_path)).encode(), path.read_bytes())
        place.server.denied.append(bad.files[0].encode())
        report = settled(place)
        assert report["observed"]["source"] == "listing"
        assert report["verdicts"]["missing"] == len(GONE)
        (said,) = (line for line in report["warnings"] if bad.folder in line)
        assert bad.files[0] in said
        assert "HTTP 403" in said
        assert "kms:Decrypt" in said
        assert place.queued() == GONE
