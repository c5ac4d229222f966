"""A page of the dashboard, run by Streamlit without a browser."""

import json
from pathlib import Path
from typing import Final

from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import services.dashboard

APP: Final = Path(services.dashboard.__file__).with_name("app.py")


def opened(path: str = "", zone: str = "UTC", **query: str | list[str]) -> AppTest:
    """The page at `path`, run once for a viewer in a time zone. Fails when the page does."""
    app = AppTest.from_file(APP, default_timeout=60)
    app.context = {"timezone": zone}
    for name, value in query.items():
        app.query_params[name] = value
    app._page_hash = calc_hash(path)  # noqa: SLF001 - switch_page() knows pages that are files alone
    app.run()
    assert not app.exception, app.exception
    return app


def shown(app: AppTest) -> str:
    """All HTML of the page and its components, and what else the components get, without styles."""
    html = [element.proto.body for element in app.get("html") if not element.proto.body.startswith("<style>")]
    components = [json.loads(element.proto.json) for element in app.get("bidi_component") if element.proto.json]
    return "".join([*html, *(str(value) for data in components for value in data.values())])
