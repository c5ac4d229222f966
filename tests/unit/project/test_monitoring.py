"""The alerts are tested, name only metrics that exist, and each has a row in the runbook; so does the board."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from shared.status.metrics import SERIES
from tests.support.servers.prometheus import promtool

ROOT = Path(__file__).parents[3]
PROMETHEUS = ROOT / "deploy" / "prometheus"
NAMES = {metric.series for metric in SERIES.values()} | {
    f"{metric.series}_{part}"
    for metric in SERIES.values()
    if metric.kind == "histogram"
    for part in ("bucket", "count", "sum")
}


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def test_promtool_accepts_the_alerts_and_their_tests() -> None:
    program = promtool()
    for command in (["test", "rules", "alerts.test.yml"], ["check", "config", "prometheus.yml"]):
        checked = subprocess.run(
            [program, *command], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_tested_firing_and_silent() -> None:
    cases = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
    tests = [test for case in cases for test in case["alert_rule_test"]]
    names = {rule["alert"] for rule in alerts()}
    assert {test["alertname"] for test in tests if "exp_alerts" in test} == names
    assert {test["alertname"] for test in tests if "exp_alerts" not in test} == names


def test_each_alert_links_to_its_row_of_the_runbook() -> None:
    anchors = re.findall(
        r'^\| <a id="(alert-[a-z-]+)"></a>\*\*(\w+)\*\*', (ROOT / "docs/operations.md").read_text(), re.M
    )
    linked = {(rule["annotations"]["runbook"].removeprefix("docs/operations.md#"), rule["alert"]) for rule in alerts()}
    assert set(anchors) == linked


def test_alerts_and_board_name_only_metrics_of_the_table() -> None:
    board = (ROOT / "deploy" / "grafana" / "clickpulse.json").read_text()
    written = (PROMETHEUS / "alerts.yml").read_text() + board
    assert set(re.findall(r"\bclickpulse_\w+", written)) <= NAMES
    panels = json.loads(board)["panels"]
    assert len({panel["title"] for panel in panels}) == len(panels)
