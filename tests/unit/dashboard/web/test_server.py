"""By which names the dashboard's own settings let it be reached."""

import pytest

from services.dashboard.settings import DashboardSettings
from services.dashboard.web.server import names_of


@pytest.mark.parametrize(
    ("settings", "name", "is_answered"),
    [
        ({}, "localhost", True),
        ({}, "stats.shop.example", False),
        ({"dashboard_hosts": "stats.shop.example"}, "stats.shop.example", True),
        ({"dashboard_hosts": "stats.shop.example"}, "127.0.0.1", True),  # the container's health check
        ({"dashboard_url": "https://Stats.shop.example/shop"}, "stats.shop.example", True),
        ({"dashboard_address": "0.0.0.0", "dashboard_auth": "none"}, "0.0.0.0", False),
        ({"dashboard_address": "192.168.1.5", "dashboard_auth": "none"}, "192.168.1.5", True),
    ],
)
def test_names_come_from_the_settings(settings: dict[str, str], name: str, is_answered: bool) -> None:
    assert (name in names_of(DashboardSettings(**settings))) == is_answered  # type: ignore[arg-type]  # of any field
