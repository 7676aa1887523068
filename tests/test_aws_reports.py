"""The newest report that holds is chosen; why newer ones were not is said, and remembered."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from aws_reports import Report, into, put_manifest, rows, write_report
from s3_server import S3Server, use_credentials

from recon.adapters.aws_report import AwsReportFiles
from recon.adapters.local_lister import LocalLister
from recon.adapters.s3 import S3Lister
from recon.adapters.state_store import MemoryStateStore
from recon.aws_reports import Choice, Refusal, ReportPlace, choice, refuse, refused

NOW = datetime(2025, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = ReportPlace("lake", "inventory", None, 48 * HOUR)


@pytest.fixture
def put(tmp_path):
    (tmp_path / "inventory").mkdir()
    return into(tmp_path)


def report(put, hours: float, **settings) -> Report:
    """Write a report of one object that is ``hours`` old."""
    return write_report(put, [rows([b"a"])], kind="CSV", at=NOW - hours * HOUR, **settings)


@pytest.fixture
def chosen(tmp_path):
    def choose(place: ReportPlace = PLACE, known: dict[str, str] | None = None) -> Choice:
        return choice(AwsReportFiles(LocalLister(tmp_path)), place, known or {}, NOW)

    return choose


def said(found: Choice) -> tuple[str, ...]:
    return tuple(map(str, found.refusals))


def test_the_newest_report_is_chosen(put, chosen):
    report(put, 35)
    newest = report(put, 11)
    found = chosen()
    assert found.report.key == newest.manifest
    assert found.report.manifest.as_of == NOW - 11 * HOUR
    assert found.refusals == ()


def test_where_there_is_none_it_is_said_how_long_the_first_takes(chosen, put):
    found = chosen()
    assert found.report is None
    assert said(found) == ("there is none below inventory/lake/ yet; the first takes up to 48 hours",)


def test_a_configuration_that_has_not_reported_yet_has_none(put, chosen):
    put("inventory/lake/daily/hive/dt=2025-11-01-01-00/symlink.txt", b"")
    assert chosen() == Choice(None, (Refusal("there is none yet"),), 0)


@pytest.mark.parametrize("prefix", ["", "a", "a/b c+", "inventory/"])
def test_any_prefix_of_the_destination_is_found(put, chosen, prefix):
    written = report(put, 1, prefix=prefix.rstrip("/"))
    assert chosen(ReportPlace("lake", prefix, None, 48 * HOUR)).report.key == written.manifest


def test_what_lies_beside_the_dated_folders_is_no_report(put, chosen):
    written = report(put, 11)
    for name in ("data/x.csv.gz", "hive/dt=2025-11-01-01-00/symlink.txt", "2025-11-01/manifest.json"):
        put(f"inventory/lake/daily/{name}", b"{}")
    for name in ("latest", "9999-99-99", "2025-11-01T01-00Z.bak", "x2025-11-01T02-00Z"):
        put(f"inventory/lake/daily/{name}/manifest.json", b"{}")
    found = chosen()
    assert found.report.key == written.manifest
    assert found.refusals == ()


def test_a_dated_folder_that_is_no_date_is_skipped_and_said(put, chosen):
    written = report(put, 11)
    put("inventory/lake/daily/2025-13-45T01-00Z/manifest.json", b"{}")
    found = chosen()
    assert found.report.key == written.manifest
    assert said(found) == ("inventory/lake/daily/2025-13-45T01-00Z/: 2025-13-45T01-00Z is no date",)


# Configurations and buckets.


def test_the_newest_report_of_any_configuration_is_never_taken(put, chosen):
    report(put, 1, config="weekly")
    mine = report(put, 11, config="daily")
    found = chosen(ReportPlace("lake", "inventory", "daily", 48 * HOUR))
    assert found.report.key == mine.manifest


def test_several_configurations_must_be_told_apart(put, chosen):
    report(put, 1, config="weekly")
    report(put, 11, config="daily")
    found = chosen()
    assert found.report is None
    assert said(found) == (
        "several configurations report there (daily, weekly); set s3.inventory_config_id to one of them",
    )


def test_a_configuration_that_is_not_there_is_named_with_those_that_are(put, chosen):
    report(put, 1, config="daily")
    found = chosen(ReportPlace("lake", "inventory", "dayly", 48 * HOUR))
    assert said(found) == ("none is of s3.inventory_config_id 'dayly'; there are daily",)


def test_other_buckets_under_the_prefix_are_not_looked_at(put, chosen):
    report(put, 1, bucket="other")
    assert chosen().report is None


def test_a_manifest_of_another_bucket_is_refused(put, chosen):
    wrong = report(put, 1)
    older = report(put, 25)
    put_manifest(put, wrong.folder, wrong.document | {"sourceBucket": "other"})
    found = chosen()
    assert found.report.key == older.manifest
    assert said(found) == (f"{wrong.folder}: manifest.json is of bucket 'other', not of 'lake'",)


def test_a_manifest_of_another_configuration_is_refused(put, chosen):
    other = report(put, 1, config="weekly")
    put_manifest(put, other.folder.replace("weekly", "daily"), other.document)
    found = chosen(ReportPlace("lake", "inventory", "daily", 48 * HOUR))
    assert found.report is None
    assert "manifest.json is of the configuration 'weekly'" in said(found)[0]
    assert other.files[0] in said(found)[0]


@pytest.mark.parametrize(
    "key", ["inventory/lake/2025-11-01T01-00Z/files/a.csv.gz", "copied/elsewhere/a.csv.gz"]
)
def test_data_may_lie_anywhere_else(put, chosen, key):
    written = report(put, 1)
    files = [dict(written.document["files"][0], key=key)]
    put_manifest(put, written.folder, written.document | {"files": files})
    assert chosen().report.manifest.files[0].key == key


# What does not hold: the next older one is used, and the reason said.


def cut(new: Report) -> bytes:
    content = json.dumps(new.document).encode()
    return content[: len(content) // 2]


def says(new: Report, content: dict[str, object] | bytes) -> dict[str, bytes]:
    """Return the files of a manifest that says something else, and fits its checksum."""
    files: dict[str, bytes] = {}
    document = content if isinstance(content, bytes) else new.document | content
    put_manifest(files.__setitem__, new.folder, document)
    return files


def milliseconds(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


FILE = {"key": "d/" + "k" * 1000, "size": 1, "MD5checksum": "0" * 32}
#: What is written over a good report (None: taken away), and the reason that is given.
BROKEN = {
    "no checksum": (lambda new: {new.folder + "manifest.checksum": None}, "manifest.checksum"),
    "no manifest": (lambda new: {new.manifest: None}, "manifest.json"),
    "wrong checksum": (
        lambda new: {new.folder + "manifest.checksum": b"0" * 32},
        "manifest.json does not have the MD5 that manifest.checksum tells",
    ),
    "half a manifest": (lambda new: {new.manifest: cut(new)}, "does not have the MD5"),
    "half a manifest, checked": (lambda new: says(new, cut(new)), "no JSON"),
    "a schema of neither spelling": (
        lambda new: says(new, {"fileFormat": "ORC", "fileSchema": "key string"}),
        "fileSchema without one Key column: 'key string'",
    ),
    "another version": (lambda new: says(new, {"version": "2"}), "version '2'"),
    "of the future": (
        lambda new: says(new, {"creationTimestamp": milliseconds(NOW + HOUR)}),
        "is of the future (2025-11-01 13:00 UTC)",
    ),
    "too many files": (lambda new: says(new, {"files": [FILE] * 17_000}), "manifest.json exceeds 16 MiB"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_report_that_does_not_hold_gives_way_to_the_next_older_one(put, chosen, tmp_path, name):
    older, newest = report(put, 25), report(put, 1)
    damage, reason = BROKEN[name]
    for key, body in damage(newest).items():
        put(key, body) if body is not None else (tmp_path / key).unlink()
    found = chosen()
    assert found.report.key == older.manifest
    assert len(found.refusals) == 1
    assert said(found)[0].startswith(f"{newest.folder}: ")
    assert reason in said(found)[0]


def test_a_report_that_is_too_old_is_refused(put, chosen):
    report(put, 240)
    found = chosen()
    assert found.report is None
    assert said(found) == ("inventory/lake/daily/2025-10-22T12-00Z/: it is older than s3.max_report_age",)


def test_the_age_that_counts_is_of_the_scan_and_not_of_the_folder(put, chosen):
    late = report(put, 1)
    began = milliseconds(NOW - 50 * HOUR)
    put_manifest(put, late.folder, late.document | {"creationTimestamp": began})
    assert said(chosen()) == (f"{late.folder}: it is 50 hours old, over s3.max_report_age (48 hours)",)


def test_of_many_broken_reports_only_the_newest_are_tried(put, chosen):
    place = ReportPlace("lake", "inventory", None, 480 * HOUR)
    for hours in range(1, 12):
        put(f"{report(put, hours).folder}manifest.checksum", b"")
    found = chosen(place)
    assert found.report is None
    assert len(found.refusals) == 8


# Over S3: keys hold double slashes, requests count, refusals say the next step.


@pytest.fixture
def server(monkeypatch):
    use_credentials(monkeypatch)
    with S3Server(bucket="reports") as server:
        yield server


def over_s3(server: S3Server, prefix: str = "inventory", config: str | None = None) -> Choice:
    files = AwsReportFiles(S3Lister("reports", endpoint_url=server.url))
    return choice(files, ReportPlace("lake", prefix, config, 48 * HOUR), {}, NOW)


def sink(server: S3Server):
    return lambda key, body: server.objects.put(key.encode(), body)


def test_a_prefix_that_ends_in_a_slash_holds_a_double_slash_in_real_keys(server):
    written = report(sink(server), 1, prefix="inventory/")
    assert "inventory//lake/" in written.manifest
    assert over_s3(server, "inventory/").report.key == written.manifest


def test_reports_from_before_and_after_the_slash_are_one_configuration(server):
    older = report(sink(server), 25)
    newer = report(sink(server), 1, prefix="inventory/")
    assert over_s3(server, "inventory/").report.key == newer.manifest
    server.objects.delete(f"{newer.folder}manifest.checksum".encode())
    assert over_s3(server, "inventory/").report.key == older.manifest


def test_every_request_of_a_search_is_counted(server):
    newest = report(sink(server), 1)
    report(sink(server), 25)
    server.objects.delete(f"{newest.folder}manifest.json".encode())
    found = over_s3(server)
    assert found.report is not None
    assert (found.lists, found.gets) == (server.requests["list"], server.requests["get"]) == (2, 4)


def test_a_destination_that_refuses_gives_no_report_and_says_why(server):
    report(sink(server), 1)
    server.denied.append(b"inventory/")
    found = over_s3(server)
    assert found.report is None
    assert (found.lists, found.gets) == (1, 0)
    assert "reports cannot be looked for" in said(found)[0]
    assert "s3:ListBucket" in said(found)[0]


def test_a_manifest_that_may_not_be_read_names_the_key_it_may_be_encrypted_with(server):
    newest = report(sink(server), 1)
    server.denied.append(newest.folder.encode())
    found = over_s3(server)
    assert found.report is None
    assert "its manifest cannot be read" in said(found)[0]
    assert "kms:Decrypt" in said(found)[0]


# What was found broken is remembered.


@pytest.fixture
def state():
    return MemoryStateStore()


def test_a_report_refused_for_good_is_not_tried_again(put, chosen, state):
    newest, older = report(put, 1), report(put, 25)
    refuse(state, newest.manifest, "data/a.csv.gz has 7 bytes", None)
    found = chosen(known=refused(state, NOW + 1000 * HOUR))
    assert found.report.key == older.manifest
    assert said(found) == (f"{newest.folder}: data/a.csv.gz has 7 bytes",)


def test_a_report_refused_for_a_while_is_tried_again_later(state):
    refuse(state, "a/manifest.json", "403", NOW + HOUR)
    assert refused(state, NOW) == {"a/manifest.json": "403"}
    assert refused(state, NOW + HOUR) == {}


def test_the_latest_refusals_are_kept_and_old_ones_forgotten(state):
    for number in range(8):
        refuse(state, f"{number}", "broken", None)
    refuse(state, "0", "still broken", None)
    refuse(state, "8", "broken", None)
    assert list(refused(state, NOW)) == ["2", "3", "4", "5", "6", "7", "0", "8"]
    assert refused(state, NOW)["0"] == "still broken"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"a": 1}',
        b'{"a": {}}',
        b'{"a": {"reason": "x", "until": "soon"}}',
        b'{"a": {"reason": "x", "until": "2025-11-01T12:00:00"}}',
    ],
)
def test_a_damaged_memory_is_an_empty_one(state, content):
    state.put("aws_reports/refused.json", content)
    assert refused(state, NOW) == {}
    refuse(state, "b", "broken", None)
    assert refused(state, NOW) == {"b": "broken"}
