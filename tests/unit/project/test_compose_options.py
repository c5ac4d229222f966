"""The settings, `docker-compose.yml` and `.env.example` agree: what one writes into `.env` reaches who reads it."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from pydantic_settings import BaseSettings

from services.access.settings import AccessSettings
from services.aggregate.settings import AggregateSettings
from services.collect.settings import CollectSettings
from services.dashboard.settings import DashboardSettings
from services.detect.settings import DetectSettings
from services.enrich.settings import EnrichSettings, LookupSettings
from services.history.settings import HistorySettings
from services.traffic.settings import TrafficSettings
from shared.runtime.secret_files import is_secret
from shared.runtime.settings_help import as_variable

ROOT: Final = Path(__file__).parents[3]
READERS: Final[dict[str, type[BaseSettings]]] = {
    "grant": AccessSettings,
    "lookups": LookupSettings,
    "collect": CollectSettings,
    "enrich": EnrichSettings,
    "aggregate": AggregateSettings,
    "detect": DetectSettings,
    "history": HistorySettings,
    "dashboard": DashboardSettings,
    "traffic": TrafficSettings,
}
ITS_OWN: Final = re.compile(
    # Compose runs these servers itself, generates their logins and the replicas' secret, and mounts the state.
    r"REDIS_(URL|USERNAME|PASSWORD|SSL_\w+|SENTINEL_\w+)|KAFKA_(BROKER|SECURITY_PROTOCOL|SASL_\w+|SSL_\w+)|CLUSTER_SECRET|STATE_DIR"
    r"|HISTORY_(URL|DIR)"
    # The demo's shop reads special offers, for which the collector has no rights here.
    r"|COLLECT_SHOP"
    # The log is Kafka's.
    r"|REDIS_LOG_(RECORDS|MEGABYTES)"
    # The containers listen on every interface of their own; COLLECT_LISTEN, DASHBOARD_LISTEN and HISTORY_API_LISTEN say
    # where the ports are published.
    r"|(HEALTH|COLLECT|DASHBOARD)_(ADDRESS|PORT)|HISTORY_API_PORT"
    # A name belongs to one replica, and `--scale` makes several of one service.
    r"|KAFKA_INSTANCE_ID"
)
NOT_ON_KAFKA: Final = re.compile(r"KAFKA_\w+|\w*TOPIC|PARTITIONS|\w*RETENTION_HOURS")
"""What `load-lookups` does not read: it writes to Redis alone."""
OTHER_DEFAULTS: Final = {"LOG_FORMAT": "json"}


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


@pytest.mark.parametrize("container", READERS)
def test_each_option_reaches_each_service_that_reads_it(container: str) -> None:
    environment = compose()[container]["environment"]
    fields = READERS[container].model_fields
    wanted = {name.upper() for name in fields if not ITS_OWN.fullmatch(name.upper())}
    if container == "lookups":
        wanted = {name for name in wanted if not NOT_ON_KAFKA.fullmatch(name)}
    assert wanted - environment.keys() == set()
    for name in wanted:
        own = re.fullmatch(rf"\$\{{{name}:-(.*)\}}", str(environment[name]))
        assert own is not None, f"{container} ignores {name} of .env"
        if name == "DASHBOARD_AUTH":  # see test_containers
            continue
        default = OTHER_DEFAULTS.get(name, as_variable(fields[name.lower()].default))
        assert own[1] in ("", default), f"{container}: {name}={own[1]}, but the default is {default}"
    secrets = {f"{name.upper()}_FILE" for name, field in fields.items() if is_secret(field) and name.upper() in wanted}
    assert secrets - environment.keys() == set()


def test_every_variable_of_the_compose_file_is_an_option_or_documented() -> None:
    used = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    options = {name.upper() for settings in READERS.values() for name in settings.model_fields}
    documented = set(re.findall(r"`([A-Z0-9_]+)[`=]", (ROOT / "docs" / "containers.md").read_text()))
    assert {name for name in used if {name, name.removesuffix("_FILE")}.isdisjoint(options)} - documented == set()
