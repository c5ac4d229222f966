"""The links between the pages: on each of them, the current one marked, the audience taken along."""

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from tests.servers import free_port
from tests.unit.test_dashboard_app import APP, page

TITLES = {"": "Live", "explore": "Explore", "operations": "Operations"}


def opened(path: str, monkeypatch: pytest.MonkeyPatch, audience: str | None = None) -> AppTest:
    monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{free_port()}/0")
    app = AppTest.from_file(APP, default_timeout=60)
    if audience:
        app.query_params["audience"] = audience
    app._page_hash = calc_hash(path)  # noqa: SLF001 - switch_page() knows pages that are files alone
    app.run()
    assert not app.exception, app.exception
    return app


@pytest.mark.parametrize("path", TITLES)
def test_each_page_marks_itself_and_links_to_the_others(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened(path, monkeypatch)
    assert f'<span class="here" aria-current="page">{TITLES[path]}</span>' in page(app)
    links = {link.proto.page: link.proto.label for link in app.get("page_link")}
    assert links == {other: title for other, title in TITLES.items() if other != path}


def test_the_audience_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    links = opened("", monkeypatch, audience="Bots").get("page_link")
    assert {link.proto.query_string for link in links} == {"audience=Bots"}
    links = opened("", monkeypatch).get("page_link")
    assert {link.proto.query_string for link in links} == {""}
