"""Every state store, for the tests that hold whichever keeps the state."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from moto.server import ThreadedMotoServer

from recon.adapters.state_store import FileStateStore, MemoryStateStore, S3StateStore


@pytest.fixture(scope="module")
def s3() -> Iterator:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=10),
    )
    yield client
    client.close()
    server.stop()


@pytest.fixture(params=["file", "s3", "memory"])
def store(request, tmp_path):
    match request.param:
        case "file":
            return FileStateStore(tmp_path / "state")
        case "s3":
            client = request.getfixturevalue("s3")
            bucket = f"b{abs(hash(request.node.name))}"
            client.create_bucket(Bucket=bucket)
            return S3StateStore(bucket, "deep/state", client)
        case _:
            return MemoryStateStore()
