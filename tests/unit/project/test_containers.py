"""The compose file and the Dockerfile match each other and the services; the health check starts fast."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.cli import SUBCOMMANDS
from shared.runtime.services import SERVICES

ROOT = Path(__file__).parents[3]
BACKING = {"kafka", "redis"}
ONE_SHOT = {"shop", "lookups"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    found: dict[str, Any] = compose["services"]
    return found


@pytest.fixture(scope="module")
def stages() -> set[str]:
    """The images that the Dockerfile can build."""
    return set(re.findall(r"^FROM runtime AS (\w+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))


def test_every_built_service_has_its_stage(services: dict[str, Any], stages: set[str]) -> None:
    built = {service["build"]["args"]["SERVICE"] for name, service in services.items() if name not in BACKING}
    assert built == stages


def test_every_service_has_a_container(services: dict[str, Any]) -> None:
    assert services.keys() - BACKING - ONE_SHOT == {service.name for service in SERVICES} | {"traffic"}


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


def test_only_traffic_needs_a_profile(services: dict[str, Any]) -> None:
    assert {name for name, service in services.items() if "profiles" in service} == {"traffic"}


def test_ports_are_published_on_this_machine_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all("127.0.0.1:" in port for port in ports)


def test_health_check_starts_without_the_settings_library() -> None:
    # It runs every few seconds for every service; pydantic would make it six times as expensive.
    imports = "import sys, services.cli, services.probe; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports], cwd=ROOT, check=False).returncode == 0
