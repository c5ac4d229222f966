"""Which scripts and policies a page has, whatever its HTML looks like."""

from hypothesis import given
from hypothesis import strategies as st

from services.collect.checking.page import Script, likely_first, page_of

URL = "https://shop.example/coats/red"


def scripts(html: str) -> list[Script]:
    return list(page_of(URL, html, []).scripts)


def test_addresses_are_resolved_as_a_browser_does() -> None:
    assert [
        script.url for script in scripts("<script src=/s.js></script><SCRIPT SRC='a.js'></SCRIPT><script>1</script>")
    ] == [
        "https://shop.example/s.js",
        "https://shop.example/coats/a.js",
    ]
    assert (
        scripts('<base href="https://cdn.example/x/"><script src="s.js"></script>')[0].url
        == "https://cdn.example/x/s.js"
    )


def test_attributes_are_read() -> None:
    (script,) = scripts(
        '<script defer type=module nonce=abc data-site="shop.example" data-hash data-domain=x src=s.js></script>'
    )
    assert script == Script(
        "https://shop.example/coats/s.js", {"site": "shop.example", "hash": "", "domain": "x"}, True, "abc"
    )


def test_scripts_in_comments_and_text_do_not_count() -> None:
    assert (
        scripts("<!-- <script src=/s.js></script> --><textarea></textarea><script>'<script src=/x.js>'</script>") == []
    )


def test_policies_are_those_of_the_headers_and_of_the_head() -> None:
    html = '<meta http-equiv="Content-Security-Policy" content="script-src x"><meta name=x content=y>'
    assert page_of(URL, html, ["default-src 'self'"]).policies == ["default-src 'self'", "script-src x"]


def test_those_that_look_like_ours_come_first() -> None:
    found = scripts("<script src=/a.js></script><script src=/b.js data-site=x></script><script src=/s.js?v=2></script>")
    assert [script.url.rpartition("/")[2] for script in likely_first(found, "/s.js")] == ["b.js", "s.js?v=2", "a.js"]


@given(st.text())
def test_no_text_breaks_it(html: str) -> None:
    page_of(URL, html, [])
