"""The document that every page's address returns."""

from services.dashboard.web.page_document import STYLE_ADDRESS, page_document


def test_the_server_is_set_before_streamlits_script_looks_for_it() -> None:
    document = page_document()
    place = document.index('window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }')
    assert document.index("<head>") < place < document.index('<script type="module"')


def test_the_style_is_there_before_anything_is_drawn_and_after_streamlits() -> None:
    document = page_document()
    place = document.index(f'<link rel="stylesheet" href="./{STYLE_ADDRESS}">')
    assert document.index("</head>") < place < document.index('<div id="root">')
