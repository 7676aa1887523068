"""The inventory reference: every example of docs/inventory.md loads, and comes to what the page says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest

from recon.adapters.catalogs import load_catalog
from recon.adapters.inventory_file import inventory_schema, load_inventory
from recon.adapters.inventory_file.dimension import DIMENSION_SCHEMA
from recon.core.description import described_domain
from recon.errors import ConfigError
from recon.plan import Options, Plan, advised, judgement
from recon.strict_yaml import plain, read_document

PAGE = Path(__file__).resolve().parents[1] / "docs/inventory.md"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
_FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """One YAML block, the files that stand before it, and the block of results after it."""

    heading: str
    text: str
    files: dict[str, str]
    result: str


def examples() -> list[Example]:
    text = PAGE.read_text(encoding="utf-8")
    found: list[Example] = []
    files: dict[str, str] = {}
    fences = list(_FENCE.finditer(text))
    for place, fence in enumerate(fences):
        kind, name, body = fence.groups()
        if kind == "csv":
            files[name] = body
        elif kind == "yaml":
            after = fences[place + 1]
            assert after[1] == "text", f"no result under the example at offset {fence.start()}"
            heading = re.findall(r"^##+ (.*)$", text[: fence.start()], re.MULTILINE)[-1]
            found.append(Example(f"{heading}-{place}", body, files, after[3]))
            files = {}
    return found


EXAMPLES = examples()


def lake_in(folder: Path) -> Callable[[bytes], bytes]:
    """Return a reader of the keys of the lake: the files under lake/."""
    return lambda key: (folder / "lake" / key.decode()).read_bytes()


def said_of(example: Example, folder: Path) -> str:
    """Return what validate says of an example, one line each."""
    for name, content in example.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    file = folder / "inventory.yaml"
    file.write_text(example.text, encoding="utf-8")
    try:
        inventory = load_inventory(file, name="inventory.yaml")
        catalogs = {spec.name: load_catalog(spec, folder, lake_in(folder)) for spec in inventory.catalogs}
        plan = Plan(
            "docs", NOW, inventory, Options("file:///lake"), (), tuple(catalogs), notices=inventory.notices
        )
        judged = advised(judgement(plan, catalogs))
    except ConfigError as error:
        return "".join(f"error: {line}\n" for line in error.problems)
    lines = []
    for one in map(described_domain, judged.domains):
        count = "-" if one["count"] is None else f"{one['count']:,}"
        lines.append(
            f"{one['name']}  {one['kind']}  {count}  {','.join(one['partition']) or '-'}  {one['example']}"
        )
    lines += [f"warning: {notice.where}: {notice.message}" for notice in judged.told]
    if inventory.without_effect:
        lines.append(f"accepted, without effect: {', '.join(inventory.without_effect)}")
    return "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.heading)
def test_every_example_comes_to_what_the_page_says(example, tmp_path):
    assert said_of(example, tmp_path) == example.result


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.heading)
def test_editors_accept_every_example_that_loads(example, tmp_path):
    file = tmp_path / "inventory.yaml"
    file.write_text(example.text, encoding="utf-8")
    schema = inventory_schema()
    if "unknown key" in example.result:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(plain(read_document(file).value), schema)
    else:
        jsonschema.validate(plain(read_document(file).value), schema)


def _keys_of(schema: dict) -> set[str]:
    found: set[str] = set()
    for shape in [schema, *schema["$defs"].values()]:
        for inner in [shape, *shape.get("anyOf", [])]:
            found |= set(inner.get("properties", {}))
            found |= {name.strip("^$").replace(".+", "X") for name in inner.get("patternProperties", {})}
    return found | set(DIMENSION_SCHEMA["properties"])


@pytest.mark.parametrize("key", sorted(_keys_of(inventory_schema())))
def test_every_key_is_explained_and_stands_in_an_example(key):
    page = PAGE.read_text(encoding="utf-8")
    prose = re.sub(_FENCE, "", page)
    assert re.search(rf"`[^`]*\b{re.escape(key)}\b[^`]*`", prose), "not explained"
    written = re.compile(rf"\b{key.replace('X', '[a-z]+')}:")
    assert any(written.search(example.text) for example in EXAMPLES), "in no example"
