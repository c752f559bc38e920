"""docs/reference/metrics.md names every metric with its kind and labels, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from syncd import metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
KINDS = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}


def defined() -> dict[str, tuple[str, list[str]]]:
    """Name to kind and labels, of every metric of the module."""
    found = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            kind = KINDS[type(metric)]
            name = metric._name + ("_total" if kind == "counter" else "")
            found[name] = (kind, list(metric._labelnames))
    return found


def documented() -> dict[str, tuple[str, list[str]]]:
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): (row[1].strip(), re.findall(r"`([a-z_]+)`", row[2])) for row in rows}


def test_every_metric_is_documented_with_its_kind_and_labels() -> None:
    assert documented() == defined()
    assert defined()


def test_names_say_what_they_count() -> None:
    assert all(re.fullmatch(r"syncd_[a-z_]+_(total|seconds|bytes|count)", name) for name in defined())
