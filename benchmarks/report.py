"""The figures with the design's bars: a table to read and one flat JSON object."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

Value = float | str

BARS: Final[Mapping[str, float]] = {
    "aggregate_bare_ratio": 2.4,
    "enrich_ratio": 1.5,
    "crafted_ids_ratio": 1.5,
    "publish_p99_ms_1m": 100,
    "publish_p99_ms_1m_names": 100,
    "restart_s_1m": 5,
    "bytes_per_event": 300,
    "bytes_per_visitor": 200,
    "bytes_per_name": 200,
    "resident_mb_1m": 340,  # 300 bytes for each of 1 M events and 200 for each of 200 k visitors
}
"""Upper limits."""

ORDER: Final = (
    "bare_floor_us", "floor_us", "passthrough_us", "aggregate_us", "aggregate_bare_ratio", "aggregate_ratio",
    "enrich_us", "enrich_ratio", "enrich_cold_us",
    "enrich_new_agents_us", "enrich_new_agents_mb", "enrich_new_addresses_us", "enrich_new_addresses_mb",
    "random_ids_us", "crafted_ids_us", "crafted_ids_ratio",
    "publish_p50_ms_10k", "publish_p99_ms_10k", "publish_p50_ms_100k", "publish_p99_ms_100k",
    "publish_p50_ms_1m", "publish_p99_ms_1m", "checkpoint_max_ms_1m",
    "publish_p50_ms_1m_names", "publish_p99_ms_1m_names",
    "restart_s_1m", "restart_opening_s_1m",
    "bytes_per_event", "bytes_per_visitor", "bytes_per_name", "resident_mb_1m",
    "disk_bytes_per_event", "disk_peak_bytes_per_event",
    "quix_tumbling_us", "quix_sliding_us", "template_us_10k", "template_publish_us_10k",
    "history_events_s", "history_build_us", "history_write_us", "history_postgres_us",
    "history_floor_decode_us", "history_floor_copy_us", "history_floor_postgres_us", "history_ratio",
    "history_raw_bytes", "history_raw_index_bytes", "history_rollup_bytes", "history_name_bytes", "history_other_bytes",
    "history_warm_s", "history_api_mb",
    "view_30d_p50_ms", "view_30d_p99_ms", "view_30d_most_ms",
    "view_30d_filtered_p50_ms", "view_30d_filtered_p99_ms", "view_30d_filtered_most_ms",
    "view_week_visitors_p50_ms", "view_week_visitors_p99_ms", "view_week_visitors_most_ms",
    "viewers_views", "viewers_p50_ms", "viewers_p99_ms", "viewers_most_ms", "viewers_errors",
)  # fmt: skip


def table(figures: Mapping[str, Value]) -> str:
    """Figure, value, the design's bar and whether it is met; in ORDER, without missing figures."""
    lines = [f"{'figure':<28}{'value':>12}{'bar':>10}  met"]
    for name in ORDER:
        value = figures.get(name)
        if not isinstance(value, int | float):
            continue
        bar = BARS.get(name)
        limit, met = ("", "") if bar is None else (f"≤ {bar:g}", "yes" if value <= bar else "NO")
        lines.append(f"{name:<28}{value:>12,}{limit:>10}  {met}".rstrip())
    return "\n".join(lines)


def circumstances() -> dict[str, Value]:
    """The machine and the commit that were measured."""
    return {
        "commit": _commit(),
        "python": platform.python_version(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 0,
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_results(path: Path, figures: Mapping[str, object]) -> None:
    """Write everything as one JSON object."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(dict(figures), indent=2) + "\n")


def _commit() -> str:
    """The checked-out commit, marked when files differ from it; "" outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
