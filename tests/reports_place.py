"""A lake's bucket on a server that plays AWS, its configuration, and the commands over both."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aws_server import ACCOUNT, Aws, report_files
from click.testing import CliRunner, Result
from s3_server import use_credentials

from recon.cli import recon
from recon.core.inventory_setup import Delivery

#: A statement of others in a bucket's policy.
FOREIGN = {
    "Sid": "Web",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::x/*",
}


class Place:
    """A configuration over a bucket of its own; ``recon`` is called in this process."""

    def __init__(self, folder: Path, server: Aws, bucket: str) -> None:
        self.folder, self.server, self.bucket = folder, server, bucket
        self.configure()

    @property
    def delivery(self) -> Delivery:
        return Delivery(self.bucket, "", "recon", self.bucket, "inventory-reports", ACCOUNT)

    def configure(self, lake: str = "", **s3: object) -> None:
        told = {"endpoint_url": self.server.url, "region": "us-east-1", **s3}
        document = {"lake": lake or f"s3://{self.bucket}", "s3": told}
        (self.folder / "recon.yaml").write_text(json.dumps(document))

    def recon(self, *words: str) -> Result:
        config = str(self.folder / "recon.yaml")
        return CliRunner().invoke(recon, ["s3-inventory", *words, "--config", config])

    def json(self, *words: str, code: int = 0) -> dict:
        done = self.recon(*words, "--json")
        assert done.exit_code == code, done.output
        return json.loads(done.stdout)

    @property
    def policy(self) -> dict | None:
        client = self.server.s3
        try:
            return json.loads(client.get_bucket_policy(Bucket=self.bucket)["Policy"])
        except client.exceptions.ClientError:
            return None

    @property
    def configuration(self) -> dict:
        client = self.server.s3
        found = client.get_bucket_inventory_configuration(Bucket=self.bucket, Id="recon")
        return found["InventoryConfiguration"]

    def deliver(self, at: datetime, **changed: bytes) -> dict[str, bytes]:
        files = report_files(
            {"a/1.json": 10, "a/2.json": 20},
            source=self.bucket,
            destination=self.bucket,
            prefix="inventory-reports",
            config_id="recon",
            at=at,
        )
        for key, body in files.items():
            content = changed.get(key.rpartition("/")[2].partition(".")[2], body)
            self.server.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        return files


def new_place(folder: Path, server: Aws, monkeypatch, name: str) -> Place:
    """Return a place with a bucket of its own, as the test called ``name`` finds it."""
    use_credentials(monkeypatch)
    monkeypatch.chdir(folder)
    server.denied.clear()
    bucket = server.bucket(f"lake-{zlib.crc32(name.encode())}")
    server.called.clear()
    return Place(folder, server, bucket)


def hours_ago(hours: float) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)
