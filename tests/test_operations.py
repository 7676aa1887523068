"""docs/operations.md holds: the rights that recon needs, commands that exist, a whole runbook."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from recon.cli import recon
from recon.core.conditions import ConditionName

ROOT = Path(__file__).resolve().parents[1]
PAGES = {name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("operations", "migrating")}
PAGE = PAGES["operations"]
POLICIES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
RIGHTS = {
    ("LAKE", "s3:ListBucket"),
    ("LAKE/*", "s3:GetObject"),
    ("LAKE", "s3:GetInventoryConfiguration"),
    ("STATE", "s3:ListBucket"),
    *(("STATE/*", f"s3:{verb}Object") for verb in ("Get", "Put", "Delete")),
    ("REPORTS", "s3:ListBucket"),
    ("REPORTS/*", "s3:GetObject"),
}
SET_UP = {
    ("LAKE", "s3:PutInventoryConfiguration"),
    ("LAKE", "s3:GetInventoryConfiguration"),
    *(
        ("REPORTS", f"s3:{right}")
        for right in ("GetBucketPolicy", "PutBucketPolicy", "GetEncryptionConfiguration")
    ),
}
SHELL = {name: "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)) for name, text in PAGES.items()}
COMMANDS = sorted(
    {
        (page, line)
        for page, text in PAGES.items()
        for line in [
            *re.findall(r"`(recon [a-z][^`]*)`", text),
            *re.findall(r"^(recon [a-z].*)$", SHELL[page], re.MULTILINE),
        ]
    }
)  # fmt: skip


def rights(policy) -> set[tuple[str, str]]:
    """Return (resource, action) of every statement."""
    return {
        (resource.removeprefix("arn:aws:s3:::"), action)
        for one in policy["Statement"]
        for resource in ([one["Resource"]] if isinstance(one["Resource"], str) else one["Resource"])
        for action in ([one["Action"]] if isinstance(one["Action"], str) else one["Action"])
    }


def test_the_rights_are_those_that_recon_uses_and_no_others():
    engine, set_up = POLICIES
    assert (rights(engine), rights(set_up)) == (RIGHTS, SET_UP)
    assert all(one["Effect"] == "Allow" for policy in POLICIES for one in policy["Statement"])


@pytest.mark.parametrize(("page", "line"), COMMANDS)
def test_every_command_of_the_page_exists_with_its_options(page, line):
    words = shlex.split(line.partition("  #")[0])[1:]
    command, context = recon, click.Context(recon, info_name="recon")
    while isinstance(command, click.Group) and words:
        name = words.pop(0)
        found = command.get_command(context, name)
        assert found is not None, f"{page}: {line}"
        command, context = found, click.Context(found, parent=context, info_name=name)
    context.resilient_parsing = True
    command.make_parser(context).parse_args([*words])


@pytest.mark.parametrize("name", ConditionName)
def test_each_condition_has_a_heading_that_its_alert_rule_points_at(name):
    runbook = PAGE.partition("## Runbook")[2]
    entry = re.search(rf"^### {re.escape(name.value)}\n(.+)", runbook, re.MULTILINE)
    assert entry
    assert entry[1].strip()
    groups = yaml.safe_load((ROOT / "config/prometheus/recon.rules.yml").read_text("utf-8"))["groups"]
    (rule,) = [
        one for group in groups for one in group["rules"] if f'condition="{name.value}"' in one["expr"]
    ]
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.value.replace(' ', '-')}"
