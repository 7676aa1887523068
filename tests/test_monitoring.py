"""What Grafana, Prometheus and docs/monitoring.md say of metrics and conditions is what there is."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from recon.core.conditions import ConditionName
from recon.core.metrics import METRICS
from workers.exposition import exposition

ROOT = Path(__file__).parents[1]
RULES = yaml.safe_load((ROOT / "config/prometheus/recon.rules.yml").read_text())["groups"]
DASHBOARD = json.loads((ROOT / "config/grafana/recon.json").read_text())
PAGE = (ROOT / "docs/monitoring.md").read_text()
LABELS = {metric.name: set(metric.labels) for metric in METRICS}

ALERTS = [rule["expr"] for group in RULES for rule in group["rules"]]
PANELS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
LEGENDS = [target for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("expr", [*ALERTS, *PANELS])
def test_every_metric_and_label_that_is_asked_for_is_there(expr):
    names = re.findall(r"\brecon_\w+", expr)
    assert names or expr.startswith("up{")
    for name in names:
        assert name in LABELS
    for name, inside in re.findall(r"\b(recon_\w+)\{([^}]*)\}", expr):
        assert set(re.findall(r"(\w+)=", inside)) <= LABELS[name]
    for by, name in re.findall(r"by \((\w+)\) \((?:rate\()?(recon_\w+)", expr):
        assert by in LABELS[name]


@pytest.mark.parametrize("target", LEGENDS)
def test_a_legend_names_labels_that_are_there(target):
    (name,) = re.findall(r"\brecon_\w+", target["expr"])
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= LABELS[name]


def test_there_is_one_alert_for_each_condition():
    asked = re.findall(r'recon_condition_active\{condition="([^"]+)"\} == 1', "\n".join(ALERTS))
    assert asked == [name.value for name in ConditionName]
    for rule in (rule for group in RULES for rule in group["rules"]):
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert rule["alert"] in PAGE or rule["alert"] == "ReconSilent"


def test_the_rules_are_what_promtool_takes():
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool on PATH")
    subprocess.run([promtool, "check", "rules", ROOT / "config/prometheus/recon.rules.yml"], check=True)
    subprocess.run([promtool, "check", "config", ROOT / "config/prometheus/prometheus.yml"], check=True)


def test_the_page_lists_every_metric_and_no_other():
    rows = re.findall(r"^\| `(recon_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
    assert rows == [
        (metric.name, metric.kind, ", ".join(f"`{label}`" for label in metric.labels) or "–", metric.help)
        for metric in METRICS
    ]


def test_the_page_lists_every_condition():
    assert re.findall(r"^\| ([a-z ]+) \| (?:critical|warning) \|", PAGE, re.MULTILINE) == [
        name.value for name in ConditionName
    ]


def test_prometheus_reads_every_metric_even_before_anything_is_known():
    families = {family.name: family for family in text_string_to_metric_families(exposition(None).decode())}
    assert set(families) == {metric.name.removesuffix("_total") for metric in METRICS}
    assert all(family.documentation for family in families.values())
