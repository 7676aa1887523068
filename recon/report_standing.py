"""How it stands with AWS's reports: what delivers them, the newest one, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from recon.aws_reports import AwsReport, ReportPlace, choice, dated
from recon.core.inventory_setup import (
    Document,
    kms_key,
    lets_deliver,
    next_report,
    reports_to,
    shortcomings,
    summary,
)
from recon.errors import LakeError, LakeUnreachableError, ReportError
from recon.ports import InventoryAdmin, ReportFiles
from recon.report_delivery import Wish

_ENABLE = "put it: recon s3-inventory enable"
_KMS = "where reports are encrypted with a KMS key, recon's role needs kms:Decrypt on it too"
_WAIT = "have AWS deliver them, if nobody did (recon s3-inventory enable), and wait"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    problem: str
    next: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest report: its manifest's key, when its scan began, and why it cannot be used, if so."""

    manifest: str
    as_of: datetime
    reason: str | None = None
    report: AwsReport | None = None


@dataclass(frozen=True, slots=True)
class Deep:
    """What fetching every data file of a report showed: all of them were as the manifest tells."""

    files: int
    bytes: int
    objects: int
    requests: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What was found.

    ``used`` is the manifest of the report that a cycle would take. ``configurations`` is None where they
    cannot be seen, or there are none to see.
    """

    newest: Newest | None = None
    used: str | None = None
    configurations: tuple[Document, ...] | None = None
    deep: Deep | None = None
    next_due: datetime | None = None
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def reports_standing(
    destination: ReportFiles, place: ReportPlace, refused: Mapping[str, str], now: datetime
) -> Standing:
    """Return the newest report and whether it can be used, from its manifest alone."""
    found = choice(destination, place, refused, now)
    if not found.refusals:
        if found.report is None:
            raise TypeError("neither a report nor a reason")
        return Standing(_sound(found.report), found.report.key)
    used = None if found.report is None else found.report.key
    refusal = found.refusals[0]
    as_of = None if refusal.folder is None else dated(refusal.folder)
    if as_of is None:
        return Standing(
            used=used, problems=(Problem(f"no report can be used: {refusal}", _step(refusal.reason)),)
        )
    newest = Newest(f"{refusal.folder}manifest.json", as_of, refusal.reason)
    return Standing(newest, used, problems=(_unusable(newest, used),))


def deep_standing(
    destination: ReportFiles, place: ReportPlace, refused: Mapping[str, str], root: bytes, now: datetime
) -> Standing:
    """Return the same, once every data file of the newest report was fetched, checked and read whole."""
    standing = reports_standing(destination, place, refused, now)
    report = None if standing.newest is None else standing.newest.report
    if report is None:
        return standing
    try:
        return replace(standing, deep=_deep(destination, report, root))
    except (ReportError, LakeError) as error:
        return reports_standing(destination, place, {**refused, report.key: str(error)}, now)


def with_delivery(standing: Standing, admin: InventoryAdmin, wish: Wish, place: ReportPlace) -> Standing:
    """Return a standing with what delivers the reports, what is wrong with that, and when the next is due."""
    try:
        found = admin.configurations(wish.source)
    except LakeUnreachableError:
        raise
    except LakeError as error:
        return replace(standing, notes=(f"what delivers the reports is not known: {error}",))
    there = tuple(item for item in found if reports_to(item, wish.bucket, wish.prefix))
    chosen = [item for item in there if wish.config_id in {None, item.get("Id")}]
    problems = [
        Problem(f"configuration {item.get('Id')}: {wrong}", _ENABLE)
        for item in chosen
        for wrong in shortcomings(item, wish.lake_prefix, place.oldest)
    ]
    notes = [
        f"configuration {item.get('Id')} encrypts its reports: {_KMS}" for item in chosen if kms_key(item)
    ]
    if not chosen:
        problems.append(Problem(_nothing(wish, there), _ENABLE))
    elif standing.newest is None:
        added, noted = _policy(admin, wish)
        problems, notes = [*problems, *added], [*notes, *noted]
    is_told = len(chosen) == 1 and standing.newest is not None
    return replace(
        standing,
        configurations=there,
        next_due=next_report(standing.newest.as_of, chosen[0]) if is_told and standing.newest else None,
        problems=(*standing.problems, *problems),
        notes=(*standing.notes, *notes),
    )


def document(standing: Standing, now: datetime) -> dict[str, Any]:
    """Return a standing as JSON; ages are in seconds."""
    newest = standing.newest
    return {
        "ok": not standing.problems,
        "configurations": None
        if standing.configurations is None
        else [summary(item) for item in standing.configurations],
        "newest": None if newest is None else _newest(newest, now),
        "used": standing.used,
        "next_due": None if standing.next_due is None else _iso(standing.next_due),
        "deep": None if standing.deep is None else asdict(standing.deep),
        "problems": [asdict(item) for item in standing.problems],
        "notes": list(standing.notes),
    }


def _newest(newest: Newest, now: datetime) -> dict[str, Any]:
    manifest = None if newest.report is None else newest.report.manifest
    return {
        "manifest": newest.manifest,
        "as_of": _iso(newest.as_of),
        "age_s": round((now - newest.as_of).total_seconds()),
        "verifies": newest.reason is None,
        "reason": newest.reason,
        "format": None if manifest is None else manifest.format.value,
        "files": None if manifest is None else len(manifest.files),
        "bytes": None if manifest is None else sum(file.size for file in manifest.files),
    }


def _unusable(newest: Newest, used: str | None) -> Problem:
    instead = f"; {used} is used instead" if used else ""
    return Problem(
        f"the newest report, {newest.manifest}, cannot be used: {newest.reason}{instead}",
        _step(newest.reason or ""),
    )


def _step(reason: str) -> str:
    """Return what to do where a report cannot be had; cycles list live meanwhile."""
    if "HTTP 403" in reason:
        return f"grant s3:ListBucket and s3:GetObject on the destination; {_KMS}"
    if "max_report_age" in reason:
        return "see that the configuration is enabled and its destination's policy lets S3 write"
    if "there is none" in reason:
        return _WAIT
    if "s3.inventory_config_id" in reason:
        return "set s3.inventory_config_id to one of those named, or leave it out"
    if "There is no such bucket" in reason:
        return "check s3.inventory_bucket, lake and s3.endpoint_url"
    return "wait for the next report; where it stays so, look at the destination's files"


def _nothing(wish: Wish, there: Sequence[Document]) -> str:
    place = f"s3://{wish.bucket}/{wish.prefix}"
    if not there:
        return f"no configuration of s3://{wish.source} reports to {place}"
    names = ", ".join(str(item.get("Id")) for item in there)
    return f"no configuration {wish.config_id} of s3://{wish.source} reports to {place}; there are {names}"


def _policy(admin: InventoryAdmin, wish: Wish) -> tuple[list[Problem], list[str]]:
    """Return what is wrong with the destination's policy where no report has come, and what is not known."""
    try:
        policy = admin.policy(wish.bucket)
    except LakeError as error:
        return [], [f"whether S3 may write reports is not known: {error}"]
    if lets_deliver(policy):
        return [], []
    wrong = f"the policy of s3://{wish.bucket} does not let s3.amazonaws.com write there"
    return [Problem(wrong, _ENABLE)], []


def _deep(destination: ReportFiles, report: AwsReport, root: bytes) -> Deep:
    objects = requests = 0
    files = report.manifest.files
    for file in files:
        for page in destination.pages(report.manifest, file, root):
            objects += page.batch.num_rows
            requests += page.requests
    return Deep(len(files), sum(file.size for file in files), objects, requests)


def _sound(report: AwsReport) -> Newest:
    return Newest(report.key, report.manifest.as_of, None, report)


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
