"""The document that each page's address answers with."""

from services.dashboard.web.page_document import page_document


def test_the_server_is_told_before_streamlits_script_looks_for_it() -> None:
    document = page_document()
    told = document.index('window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href }')
    assert document.index("<head>") < told < document.index('<script type="module"')
