"""Countries from a MaxMind DB file, also while the file changes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet
from structlog.testing import capture_logs

from services.enrich.attributes.country import Countries
from services.enrich.attributes.geoip import CHECK_SECONDS, GeoIpFile
from shared.runtime.configuration import ConfigurationError
from shared.status.health import Health

Records = dict[str, dict[str, Any]]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "countries.mmdb"


def write(path: Path, records: Records, ip_version: int = 6) -> None:
    writer = MMDBWriter(ip_version, ipv4_compatible=ip_version == 6, database_type="Test-Country")
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    new = path.with_suffix(".new")
    writer.to_db_file(str(new))
    new.rename(path)


def opened(path: Path, clock: Callable[[], float] | None = None, health: Health | None = None) -> GeoIpFile:
    return GeoIpFile(path, clock or Clock(), health or Health("enrich"))


@pytest.mark.parametrize(
    ("record", "code"),
    [
        ({"country_code": "DE"}, "DE"),
        ({"country": {"iso_code": "DE", "names": {"en": "Germany"}}}, "DE"),
        ({"registered_country": {"iso_code": "DE"}}, "DE"),
        (
            {"country_code": "DE", "country": {"iso_code": "FR"}, "registered_country": {"iso_code": "IT"}},
            "DE",
        ),
        ({"country": {"iso_code": "FR"}, "registered_country": {"iso_code": "IT"}}, "FR"),
        ({"country": {"geoname_id": 1}, "registered_country": {"iso_code": "IT"}}, "IT"),
        ({"country_code": "", "country": "FR"}, None),
        ({"country_code": 49}, None),
        ({"continent": {"code": "EU"}}, None),
        ({}, None),
    ],
)
def test_code_is_of_the_location_else_of_the_registration(path: Path, record: dict[str, Any], code: str | None) -> None:
    write(path, {"8.8.8.0/24": record})
    assert opened(path).code_of("8.8.8.8") == code


def test_finds_ipv4_and_ipv6_addresses_and_nothing_for_others(path: Path) -> None:
    write(path, {"8.8.8.0/24": {"country_code": "XK"}, "2001:4860::/32": {"country_code": "TW"}})
    countries = Countries(opened(path))
    assert countries.by_ip["8.8.8.8"] == countries.by_ip["::ffff:8.8.8.8"] == "Kosovo"
    assert countries.by_ip["2001:4860:4860::8888"] == countries.by_ip["2001:4860:0:0:0:0:8.8.8.8"] == "Taiwan"
    assert countries.by_ip["9.9.9.9"] == "Unknown"


def test_ipv4_only_file_has_no_ipv6_addresses(path: Path) -> None:
    write(path, {"8.8.8.0/24": {"country_code": "DE"}}, ip_version=4)
    assert opened(path).code_of("8.8.8.8") == "DE"
    assert opened(path).code_of("2001:4860:4860::8888") is None


@pytest.mark.parametrize("content", [None, b"", b"not a database", b"\xab\xcd\xefMaxMind.com"])
def test_unreadable_file_at_boot_is_a_configuration_error(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"GEOIP_MMDB: .*countries\.mmdb cannot be read"):
        opened(path)


def test_folder_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="GEOIP_MMDB"):
        opened(tmp_path)


def test_reloads_a_changed_file_and_checks_it_once_per_interval(path: Path) -> None:
    clock = Clock()
    write(path, {"8.8.8.0/24": {"country_code": "DE"}})
    countries = Countries(opened(path, clock))
    assert countries.by_ip["8.8.8.8"] == "Germany"
    write(path, {"8.8.8.0/24": {"country_code": "FR"}})
    clock.now += CHECK_SECONDS - 1
    countries.refresh()
    assert countries.by_ip["8.8.8.8"] == "Germany"
    clock.now += 1
    with capture_logs() as logs:
        countries.refresh()
    assert countries.by_ip["8.8.8.8"] == "France"
    assert [line["event"] for line in logs] == ["GeoIP file loaded"]


def test_unreadable_new_file_keeps_the_previous_one_and_fails_health(path: Path) -> None:
    clock, health = Clock(), Health("enrich")
    write(path, {"8.8.8.0/24": {"country_code": "DE"}})
    file = opened(path, clock, health)
    whole = path.read_bytes()
    path.write_bytes(whole[:20])  # in place, as a copy that is under way
    with capture_logs() as logs:
        for _ in range(3):
            clock.now += CHECK_SECONDS
            assert not file.refresh()
    assert file.code_of("8.8.8.8") == "DE"
    assert "countries.mmdb cannot be read" in str(health.report()["failures"])
    assert len(logs) == 1
    path.write_bytes(whole)
    clock.now += CHECK_SECONDS
    assert file.refresh()
    assert health.report()["status"] == "healthy"


def test_vanished_file_fails_health_until_it_is_back(path: Path) -> None:
    clock, health = Clock(), Health("enrich")
    write(path, {"8.8.8.0/24": {"country_code": "DE"}})
    file = opened(path, clock, health)
    away = path.rename(path.with_suffix(".away"))
    clock.now += CHECK_SECONDS
    assert not file.refresh()
    assert not health.is_working("geoip")
    away.rename(path)
    clock.now += CHECK_SECONDS
    file.refresh()
    assert health.is_working("geoip")
    assert file.code_of("8.8.8.8") == "DE"


def test_file_may_be_overwritten_in_place_while_it_is_read(path: Path) -> None:
    write(path, {"8.8.8.0/24": {"country_code": "DE"}})
    file = opened(path)
    path.write_bytes(b"")  # whose pages, if they were mapped, would be gone
    assert file.code_of("8.8.8.8") == "DE"
