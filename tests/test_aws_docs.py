"""docs/aws-s3-inventory.md is followed word for word against a server, and its documents are recon's."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from math import ceil, floor
from pathlib import Path

import pytest
from aws_server import ACCOUNT, aws, report_files
from click.testing import CliRunner
from s3_server import use_credentials

from recon.cli import recon
from recon.core.inventory_setup import FIELDS, Delivery, configuration, kms_grants, merged, statement

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "docs/aws-s3-inventory.md").read_text("utf-8")
_FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
BUCKET = "nba-lake"
DELIVERY = Delivery(BUCKET, "", "recon", BUCKET, "inventory-reports", ACCOUNT)


@dataclass(frozen=True)
class Block:
    kind: str
    name: str
    body: str


BLOCKS = [Block(*found.groups()) for found in _FENCE.finditer(TEXT)]


def documents() -> dict[str, dict]:
    return {block.name: json.loads(block.body) for block in BLOCKS if block.kind == "json"}


@pytest.fixture
def server(monkeypatch, tmp_path):
    use_credentials(monkeypatch)
    monkeypatch.chdir(tmp_path)
    with aws() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        monkeypatch.setenv("RECON_CONFIG", "recon.yaml")
        made.s3.create_bucket(Bucket=BUCKET)
        for block in BLOCKS:
            if block.kind in {"yaml", "json"}:
                (tmp_path / block.name).write_text(block.body, "utf-8")
        yield made
        client = made.s3
        for item in client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            client.delete_object(Bucket=BUCKET, Key=item["Key"])
        client.delete_bucket(Bucket=BUCKET)


def deliver(server) -> None:
    """Do what AWS does within 48 hours."""
    at = datetime.now(UTC) - timedelta(hours=9)
    place = {"source": BUCKET, "destination": BUCKET, "prefix": "inventory-reports", "config_id": "recon"}
    for key, body in report_files({"a.json": 1, "b.json": 2}, at=at, **place).items():
        server.s3.put_object(Bucket=BUCKET, Key=key, Body=body)


def fits(shown: str, told: str) -> bool:
    """Tell whether an output is what the page shows; a line of … stands for lines, … for a part of one."""
    lines = [re.sub(r"([\[\]*?])", r"[\1]", line).replace("…", "*") for line in told.splitlines()]
    return fnmatchcase("\n".join(shown.splitlines()), "\n".join(lines))


def test_every_recon_command_of_the_page_says_what_the_page_shows(server):
    run = 0
    for block in BLOCKS:
        if block.kind != "console":
            continue
        if block.name == "report":
            deliver(server)
        command, _, told = block.body.partition("\n")
        assert command.startswith("$ recon ")
        done = CliRunner().invoke(recon, shlex.split(command)[2:])
        assert done.exit_code == (1 if block.name == "exit=1" else 0), done.output
        assert fits(done.stdout, told), f"{command}\n{done.stdout}"
        run += 1
    assert run == 5


def test_the_way_by_hand_comes_to_what_enable_wants(server, tmp_path):
    commands = [line for block in BLOCKS if block.kind == "sh" for line in block.body.splitlines()]
    assert len(commands) == 2
    for line in commands:
        words = shlex.split(line)
        assert words[:2] == ["aws", "s3api"]
        options = dict(zip(words[3::2], words[4::2], strict=True))
        arguments = {
            "".join(part.title() for part in name.removeprefix("--").split("-")): content(value, tmp_path)
            for name, value in options.items()
        }
        if "Policy" in arguments:
            arguments["Policy"] = json.dumps(arguments["Policy"])
        getattr(server.s3, words[2].replace("-", "_"))(**arguments)
    done = CliRunner().invoke(recon, ["s3-inventory", "enable"])
    assert "nothing to change" in done.stdout, done.output


def content(value: str, folder: Path) -> object:
    name = value.removeprefix("file://")
    return json.loads((folder / name).read_text("utf-8")) if name != value else value


def test_the_documents_of_the_page_are_those_that_recon_makes():
    assert documents()["configuration.json"] == configuration(DELIVERY)
    assert documents()["policy.json"] == merged(None, statement(DELIVERY))


def test_the_terraform_of_the_page_says_the_same():
    (hcl,) = (block.body for block in BLOCKS if block.kind == "hcl")
    told = {
        name: json.loads(value)
        for name, value in re.findall(r'^\s*(\w+)\s*= (".*"|\[.*\])$', hcl, re.MULTILINE)
    }
    wanted = configuration(DELIVERY)
    place = wanted["Destination"]["S3BucketDestination"]
    assert told == {
        "bucket": BUCKET,
        "name": wanted["Id"],
        "included_object_versions": wanted["IncludedObjectVersions"],
        "optional_fields": list(FIELDS),
        "frequency": wanted["Schedule"]["Frequency"],
        "account_id": place["AccountId"],
        "bucket_arn": place["Bucket"],
        "format": place["Format"],
        "prefix": place["Prefix"],
    }
    assert 'policy = file("policy.json")' in hcl


def actions(document: dict) -> set[str]:
    found: set[str] = set()
    for item in document["Statement"]:
        named = item["Action"]
        found |= {named} if isinstance(named, str) else set(named)
    return found


def test_the_set_up_grants_every_action_that_the_code_names_and_no_other():
    code = (ROOT / "recon/adapters/s3_inventory_setup.py").read_text("utf-8")
    assert actions(documents()["setup.json"]) == set(re.findall(r'"(s3:\w+)"', code))


def test_the_engine_is_granted_reading_only():
    assert actions(documents()["engine.json"]) == {
        "s3:ListBucket",
        "s3:GetObject",
        "s3:GetInventoryConfiguration",
    }


def test_the_keys_policy_is_what_enable_asks_for():
    key = documents()["kms-key-policy.json"]
    said = kms_grants("k", DELIVERY)
    conditions = {name: value for each in key["Condition"].values() for name, value in each.items()}
    assert f"{key['Action']} to {key['Principal']['Service']}" in said
    assert all(f"{name} {value}" in said for name, value in conditions.items())


def test_what_the_page_says_recon_says_is_what_its_code_says():
    table = TEXT.partition("| it says | do |")[2]
    told = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("| ")]
    assert len(told) >= 10
    # Words of one message stand in one file, with values and line ends between them.
    files = [re.sub(r'"\s+f?"', "", path.read_text("utf-8")) for path in ROOT.glob("recon/**/*.py")]
    for line in told:
        parts = [part.strip() for part in re.split(r"…|\(.*\)|\b\d+\b", line)]
        assert any(all(part in text for part in parts) for text in files), line


def test_the_sums_of_the_page_are_right():
    sums = re.findall(r"(?<![\d.])([\d,. ×/+()]*[×/][\d,. ×/+()]*[\d)]) (=|→) ([\d.,]+)", TEXT)
    assert len(sums) == 8
    for terms, sign, told in sums:
        value = eval(terms.replace(",", "").replace("×", "*"))
        unit = 10 ** len(told.partition(".")[2])
        rounded = ceil(value) if sign == "→" else floor(value * unit + 0.5 + 1e-9) / unit
        assert rounded == float(told.replace(",", "")), f"{terms} is {value}, not {told}"
