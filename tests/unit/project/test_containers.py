"""The compose file and the Dockerfile match each other and the services; the health check starts fast."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.access.logins import write_logins
from services.cli import SUBCOMMANDS
from services.history.sql.connecting import checked_url
from shared.runtime.services import OPTIONAL, SERVICES

ROOT = Path(__file__).parents[3]
DATABASES = {"postgres", "timescale"}
SERVERS = {"kafka", "redis"} | DATABASES
MONITORING = {"prometheus", "grafana"}
BACKING = SERVERS | MONITORING | {"pgadmin"}
ONE_SHOT = {"access", "grant", "shop", "lookups"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture(scope="module")
def networks(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["networks"]
    return found


@pytest.fixture(scope="module")
def stages() -> set[str]:
    """The images that the Dockerfile can build."""
    return set(re.findall(r"^FROM runtime AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def test_every_built_service_has_its_stage(services: dict[str, Any], stages: set[str]) -> None:
    built = {service["build"]["args"]["SERVICE"] for service in services.values() if "build" in service}
    assert built == stages


def test_every_image_has_one_builder_that_compose_starts_before_its_other_containers(services: dict[str, Any]) -> None:
    builders = {service["image"]: name for name, service in services.items() if "build" in service}
    assert len(builders) == sum("build" in service for service in services.values())
    others = services.keys() - BACKING - set(builders.values())
    for name in others:
        assert services[name]["pull_policy"] == "never", "no registry has it"
        assert builders[services[name]["image"]] in _waits_for(services, name)


def _waits_for(services: dict[str, Any], name: str) -> set[str]:
    direct = set(services[name].get("depends_on", ()))
    return direct.union(*(_waits_for(services, other) for other in direct))


def test_every_service_has_a_container(services: dict[str, Any]) -> None:
    assert services.keys() - BACKING - ONE_SHOT == {service.name for service in (*SERVICES, *OPTIONAL)} | {"traffic"}


def test_the_dockerfile_installs_the_extra_of_each_service() -> None:
    others = re.findall(r"(\w+)\) extra=(\w+)", (ROOT / "Dockerfile").read_text())
    assert set(others) == {(service.name, service.extra) for service in SERVICES if service.extra != service.name}


def test_every_stage_and_command_names_a_subcommand(services: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    names = re.findall(r'^CMD \["(.*)"\]$', dockerfile, re.MULTILINE)
    names += [
        service["command"][0] for name, service in services.items() if name not in BACKING and "command" in service
    ]
    assert set(names) <= set(SUBCOMMANDS)
    assert len(names) > 5


def test_dependencies_complete_or_are_healthy_first(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for dependency, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if dependency in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected, (name, dependency)


def test_long_running_services_restart_and_report_health(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in ONE_SHOT:
            continue
        assert service["restart"] == "unless-stopped", name
        assert service["stop_grace_period"], name
        # Our images define the health check.
        assert ("healthcheck" in service) is (name in BACKING), name


def test_only_what_not_everybody_wants_needs_a_profile(services: dict[str, Any]) -> None:
    profiles = {name: service["profiles"] for name, service in services.items() if "profiles" in service}
    others = {"traffic": ["traffic"], "timescale": ["timescale"], "pgadmin": ["admin"]}
    assert profiles == others | {name: ["monitoring"] for name in MONITORING}


def test_ports_are_published_on_this_machine_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 7
    assert all("127.0.0.1:" in port for port in ports)


def test_a_port_for_others_needs_a_decision_on_signing_in(services: dict[str, Any]) -> None:
    """Compose puts what follows `:+` where the operator publishes the port, and the dashboard refuses the value."""
    value = services["dashboard"]["environment"]["DASHBOARD_AUTH"]
    found = re.fullmatch(r"\$\{DASHBOARD_AUTH:-none\$\{DASHBOARD_LISTEN:\+(.+)\}\}", value)
    assert found
    environment = {"PATH": "/usr/bin:/bin", "DASHBOARD_AUTH": "none" + found[1], "DASHBOARD_ADDRESS": "0.0.0.0"}
    ended = subprocess.run(
        [sys.executable, "-m", "services.dashboard"],
        env=environment,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert ended.returncode == 2
    assert "DASHBOARD_AUTH" in ended.stdout + ended.stderr


def test_every_container_is_confined(services: dict[str, Any]) -> None:
    for name, service in services.items():
        # The image of pgAdmin starts with neither; the compose file says why.
        assert service["read_only"] is (name != "pgadmin"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "pgadmin" else []), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        for limit in ("pids_limit", "cpus", "mem_limit"):
            assert service[limit], (name, limit)
        for mount in service["tmpfs"]:
            assert "size=" in mount, (name, mount)


def test_a_container_reaches_only_what_it_needs(services: dict[str, Any], networks: dict[str, Any]) -> None:
    reached = {
        name: {
            other
            for other, service in services.items()
            if other in SERVERS and set(service.get("networks", ())) & set(services[name].get("networks", ()))
        }
        for name in services.keys() - SERVERS
    }
    both = {"redis", "kafka"}
    assert reached == {
        "access": set(),
        "shop": set(),
        "grant": {"kafka"},
        "lookups": {"redis"},
        "dashboard": {"redis"},
        "prometheus": set(),
        "grafana": set(),
        "pgadmin": DATABASES,
        "history": SERVERS,
        **dict.fromkeys(("collect", "enrich", "aggregate", "detect", "traffic"), both),
    }
    # Prometheus reaches each service's metrics, and Grafana only Prometheus.
    scraped = {name for name, service in services.items() if "metrics" in service.get("networks", ())}
    assert scraped == {"prometheus", "collect", "enrich", "aggregate", "detect", "history", "dashboard", "traffic"}
    assert {name for name, service in services.items() if "board" in service.get("networks", ())} == MONITORING
    for name in ("access", "shop"):
        assert services[name]["network_mode"] == "none"
    others = {
        name
        for name, network in networks.items()
        if not network.get("internal")
        and network["driver_opts"]["com.docker.network.bridge.enable_ip_masquerade"] != "false"
    }
    assert others == {"screen"}, "only a switch of the operator opens a way out"
    assert networks["screen"]["driver_opts"]["com.docker.network.bridge.enable_ip_masquerade"].endswith(":-false}")


def test_every_service_mounts_only_its_own_logins(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name == "access":
            continue
        mounted = [volume for volume in service.get("volumes", ()) if volume.startswith("access-")]
        owner = {"grant": "operator", "timescale": "postgres"}.get(name, name)
        assert mounted == ([] if name in {"shop", *MONITORING} else [f"access-{owner}:/run/access:ro"]), name
        for variable in ("REDIS_USERNAME", "KAFKA_SASL_USERNAME"):
            if "environment" in service and variable in service["environment"]:
                assert service["environment"][variable] == owner


def test_history_finds_its_password_where_access_writes_it(services: dict[str, Any], tmp_path: Path) -> None:
    write_logins(tmp_path, (), (), "")
    password = (tmp_path / "postgres" / "postgres-password").read_text().strip()
    for server in DATABASES:
        assert services[server]["environment"]["POSTGRES_PASSWORD_FILE"] == "/run/access/postgres-password"
    url = services["history"]["environment"]["HISTORY_URL"].replace("${HISTORY_SERVER:-postgres}", "postgres")
    assert "passfile=/run/access/pgpass" in checked_url(url)
    for user in ("history", "operator"):
        file = tmp_path / user / "pgpass"
        assert file.read_text() == f"*:*:*:clickpulse:{password}\n"
        assert file.stat().st_mode & 0o077 == 0, "libpq ignores it otherwise"


def test_pgadmin_knows_the_server(services: dict[str, Any]) -> None:
    (server,) = json.loads((ROOT / "deploy" / "pgadmin" / "servers.json").read_text())["Servers"].values()
    created = services["postgres"]["environment"]
    assert server["Host"] == "postgres"
    assert (server["Username"], server["MaintenanceDB"]) == (created["POSTGRES_USER"], created["POSTGRES_DB"])


def test_no_password_is_in_the_compose_file() -> None:
    assert (
        re.findall(r"(?i)(?:password|secret|salt): (?!\$\{[A-Z_]*:-\})\S+", (ROOT / "docker-compose.yml").read_text())
        == []
    )


def test_base_images_can_be_pinned(services: dict[str, Any], tmp_path: Path) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\n[ "$1 $2 $3" = "buildx imagetools inspect" ] && echo sha256:0123abcd\n')
    docker.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    lines = subprocess.run(
        [ROOT / "deploy" / "pin-images"], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    pinned = dict(line.split("=", 1) for line in lines)
    used = {str(services[name]["image"]) for name in BACKING}
    used |= {service["build"]["args"]["PYTHON"] for service in services.values() if "build" in service}
    assert used == {f"${{{name}:-{image.partition('@')[0]}}}" for name, image in pinned.items()}
    default = re.search(r"^ARG PYTHON=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert default is not None
    assert pinned["PYTHON_IMAGE"] == f"{default[1]}@sha256:0123abcd"


def test_the_collector_and_its_health_endpoint_have_ports_of_their_own(services: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    listening = re.search(r"COLLECT_ADDRESS=0\.0\.0\.0 COLLECT_PORT=(\d+)\nEXPOSE (\d+)$", dockerfile, re.MULTILINE)
    assert listening is not None
    assert listening[1] == listening[2]
    assert f"HEALTH_PORT={listening[1]}" not in dockerfile
    assert services["collect"]["ports"] == [f"${{COLLECT_LISTEN:-127.0.0.1:8080}}:{listening[1]}"]


def test_prometheus_scrapes_every_service_where_it_listens(services: dict[str, Any]) -> None:
    (job,) = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    (discovery,) = job["dns_sd_configs"]
    assert set(discovery["names"]) == services.keys() - BACKING - ONE_SHOT
    assert f"HEALTH_PORT={discovery['port']}" in (ROOT / "Dockerfile").read_text()


def test_health_check_starts_without_the_settings_library() -> None:
    # It runs every few seconds for every service; pydantic would make it six times as expensive.
    imports = "import sys, services.cli, services.probe; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports], cwd=ROOT, check=False).returncode == 0
