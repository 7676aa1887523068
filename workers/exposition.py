"""The metrics as Prometheus reads them: a registry of its own, filled from one standing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from recon.core.measures import Metric, Observed
from recon.core.metrics import METRICS
from recon.core.printable import printable

Family = CounterMetricFamily | GaugeMetricFamily


class StandingCollector(Collector):
    """Collects every metric from what was seen; with nothing seen, their names and meanings alone."""

    def __init__(self, seen: Observed | None) -> None:
        self._seen = seen

    def collect(self) -> Iterator[Family]:
        """Yield a family for each metric."""
        for metric in METRICS:
            family = _family(metric)
            for labels, value in () if self._seen is None else metric.samples(self._seen):
                family.add_metric([printable(label) for label in labels], value)
            yield family


def exposition(seen: Observed | None) -> bytes:
    """Return the text that Prometheus scrapes."""
    registry = CollectorRegistry()
    registry.register(StandingCollector(seen))
    return generate_latest(registry)


def _family(metric: Metric) -> Family:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)
