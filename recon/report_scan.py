"""Scan one data file of an AWS S3 Inventory report: sketch what it tells, or say why it is refused."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from recon.core.arrow import arrow_flags
from recon.core.marks import thinned
from recon.core.shards import observed
from recon.core.sketch import ShardFacts, ShardSketch
from recon.errors import LakeError, ReportError
from recon.model import KeyRange, Shard
from recon.plan import Judgement, PlannedReport
from recon.ports import Page, ReportFiles
from recon.scan import Clock, iso

#: Objects of a page of a listing, and how many keys of a file are kept that lie so far apart.
_PAGE, _SAMPLE_MAX = 1000, 8_192


def scan_file(files: ReportFiles, judged: Judgement, shard: Shard, clock: Clock) -> ShardSketch:
    """Return the sketch of one data file. A refusal is data (``facts.failure``), never an absence."""
    report = judged.plan.report
    assert report is not None  # noqa: S101 - only a report's plan has shards of files
    file = next(file for file in report.manifest.files if file.key == shard.file)
    sketcher = judged.sketcher()
    started_at, requests, failure = clock(), 0, None
    refused = False
    sample: list[bytes] = []
    try:
        for page in files.pages(report.manifest, file, report.root):
            requests += page.requests
            objects = _inside(page, report)
            sketcher.add(objects, ascending=False)
            sample += _sampled(objects)
    except (LakeError, ReportError) as error:
        requests += getattr(error, "requests", 0)
        failure, refused = str(error), isinstance(error, ReportError)
    return ShardSketch(
        ShardFacts(
            shard_id=shard.id,
            started_at=iso(started_at),
            finished_at=iso(clock()),
            failure=failure,
            requests=requests,
            objects=sketcher.objects,
            size_bytes=sketcher.size_bytes,
            unexpected=sketcher.unexpected,
            unexpected_by_prefix=sketcher.unexpected_by_prefix,
            unexpected_sample=sketcher.unexpected_sample,
            boundaries=tuple(thinned(sorted(sample), _SAMPLE_MAX)),
            refused=refused,
        ),
        sketcher.domains(),
    )


def _sampled(objects: pa.RecordBatch) -> list[bytes]:
    """Return one key of every page's worth: rows are in no order, so they lie about a page apart."""
    keys = objects.column("key")
    return [keys[row].as_py() or b"" for row in range(_PAGE // 2, objects.num_rows, _PAGE)]


def _inside(page: Page, report: PlannedReport) -> pa.RecordBatch:
    """Return the rows of a page that the cycle looks at: a report tells of the whole bucket."""
    if report.cover == (b"",):
        return page.batch
    mask = observed(KeyRange(prefix) for prefix in report.cover).mask(pl.Series(page.batch.column("key")))
    return page.batch if mask.all() else page.batch.filter(arrow_flags(mask))
