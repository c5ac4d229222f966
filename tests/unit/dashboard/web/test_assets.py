"""The files that browsers keep: compressed once, with what the pages need and nothing else."""

import re
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from services.dashboard import components
from services.dashboard.components import board, picks, plot, strip, wall_button
from services.dashboard.components.plot import PLOTLY_ADDRESS, PLOTLY_FILE, WORLD_ADDRESS
from services.dashboard.web.assets import Assets
from services.dashboard.web.page_document import STYLE_ADDRESS, page_document

BASE = "/shop/stats/"
SCRIPTS = re.findall(r'(?:src|href)="\./(static/(?:js|css)/[^"]+)"', page_document())


@pytest.fixture
def client() -> TestClient:
    return TestClient(Assets(Starlette(), base_path=BASE))


@pytest.mark.parametrize(
    "path", [PLOTLY_ADDRESS, WORLD_ADDRESS, STYLE_ADDRESS, board.SCRIPT.address, SCRIPTS[0], SCRIPTS[-1]]
)
def test_a_file_is_compressed_and_kept_by_browsers(client: TestClient, path: str) -> None:
    packed = client.get(BASE + path, headers={"Accept-Encoding": "gzip, br"})
    plain = client.get(BASE + path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2
    for answer in (packed, plain):
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["content-type"].partition(";")[0] in ("text/javascript", "text/css", "application/json")


def test_streamlit_gets_of_each_elements_script_no_more_than_where_it_is(client: TestClient) -> None:
    """It sends what it gets with every refresh."""
    for script in (board.SCRIPT, *picks.SCRIPTS, plot.SCRIPT, strip.SCRIPT, wall_button.SCRIPT):
        assert client.get(BASE + script.address).text == script.text
        assert script.address in script.loader
        assert len(script.loader) < 150
    sources = [file.read_text(encoding="utf-8") for file in Path(components.__file__).parent.glob("*.py")]
    given = [script for source in sources for script in re.findall(r"\bjs=([\w.]+)", source)]
    assert len(given) == 5
    assert all(script.endswith(".loader") for script in given)


@pytest.mark.parametrize("name", ["none.js", "..%2Findex.html", "%2e%2e%2findex.html", ".."])
def test_only_the_files_of_the_folders_are_served(client: TestClient, name: str) -> None:
    assert client.get(f"{BASE}static/js/{name}").status_code == 404


def test_the_scripts_of_a_cold_page_take_little(client: TestClient) -> None:
    """The document's and ours. Streamlit loads a few more, and two fonts: benchmarks/wire.py measures all of it."""
    assert len(SCRIPTS) > 20
    loaded = [*SCRIPTS, PLOTLY_ADDRESS, WORLD_ADDRESS]
    assert sum(int(client.get(BASE + path).headers["content-length"]) for path in loaded) < 1_200_000


def test_plotly_has_the_kinds_of_charts_that_the_pages_draw() -> None:
    script, panels = PLOTLY_FILE.read_text(encoding="utf-8"), Path(components.__file__).parents[1].rglob("*.py")
    drawn = {kind for file in panels for kind in re.findall(r'"type": "([a-z]+)"', file.read_text(encoding="utf-8"))}
    assert drawn >= {"bar", "heatmap", "pie", "scatter"}
    assert [kind for kind in drawn - {"date"} if f'moduleType:"trace",name:"{kind}"' not in script] == []
