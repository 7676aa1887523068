"""AWS for tests: moto's S3 and STS behind a door that can deny single calls, and inventory reports in it."""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

ACCOUNT = "123456789012"
_DENIED = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"


@dataclass
class Aws:
    """One server; ``called`` is what came, as (method, first word of the query).

    ``denied`` holds calls that end in 403, ``answers`` maps the query of a GET to status and body.
    """

    url: str = ""
    denied: set[tuple[str, str]] = field(default_factory=set)
    called: list[tuple[str, str]] = field(default_factory=list)
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @property
    def s3(self) -> Any:
        return boto3.client("s3", endpoint_url=self.url, region_name="us-east-1")

    def bucket(self, name: str, keys: Iterable[str] = ()) -> str:
        client = self.s3
        client.create_bucket(Bucket=name)
        for key in keys:
            client.put_object(Bucket=name, Key=key, Body=b"x")
        return name

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [call for call in self.called if call[0] == "PUT"]

    def __call__(self, app: Callable, environ: dict, start_response: Callable) -> Iterable[bytes]:
        word = environ.get("QUERY_STRING", "").partition("&")[0].partition("=")[0]
        call = (environ["REQUEST_METHOD"], word)
        self.called.append(call)
        canned = self.answers.get(environ.get("QUERY_STRING", "")) if call[0] == "GET" else None
        status, body = (403, _DENIED) if call in self.denied else canned or (0, b"")
        if status:
            headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
            start_response(f"{status} X", headers)
            return [body]
        return app(environ, start_response)


@contextmanager
def aws() -> Iterator[Aws]:
    """Serve until the block ends."""
    made = Aws()
    app = DomainDispatcherApplication(create_backend_app)

    def door(environ: dict, start_response: Callable) -> Iterable[bytes]:
        return made(app, environ, start_response)

    server = make_server("127.0.0.1", 0, door, threaded=True)
    server.log_startup = lambda: None
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    thread.join(10)
    server.server_close()


def report_files(
    rows: Mapping[str, int], *, source: str, destination: str, prefix: str, config_id: str, at: datetime
) -> dict[str, bytes]:
    """Return key -> content of a small Parquet report of ``rows`` (key -> size), as AWS lays it out."""
    table = pa.table(
        {
            "bucket": [source] * len(rows),
            "key": list(rows),
            "size": pa.array(list(rows.values()), pa.int64()),
            "last_modified_date": pa.array(
                [at.replace(microsecond=0)] * len(rows), pa.timestamp("ms", "UTC")
            ),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink)
    data, base = sink.getvalue(), f"{prefix}/{source}/{config_id}"
    key = f"{base}/data/0.parquet"
    schema = "message s3.inventory { required binary bucket (UTF8); required binary key (UTF8);"
    manifest = json.dumps(
        {
            "sourceBucket": source,
            "destinationBucket": f"arn:aws:s3:::{destination}",
            "version": "2016-11-30",
            "creationTimestamp": str(round(at.timestamp() * 1000)),
            "fileFormat": "Parquet",
            "fileSchema": f"{schema} optional int64 size; optional int64 last_modified_date; }}",
            "files": [{"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}],
        }
    ).encode()
    dated = f"{base}/{at.astimezone(UTC):%Y-%m-%dT%H-%MZ}"
    return {
        key: data,
        f"{dated}/manifest.json": manifest,
        f"{dated}/manifest.checksum": hashlib.md5(manifest).hexdigest().encode() + b"\n",
    }
