"""The policy that every response carries."""

import re

import pytest

from services.dashboard.web.page_document import page_document
from services.dashboard.web.response_headers import read_ancestors, response_headers


def policy(frame_ancestors: str = "'none'") -> dict[str, str]:
    """The directives of the policy for the installed Streamlit's document."""
    headers = dict(response_headers([page_document()], frame_ancestors))
    directives = [directive.partition(" ") for directive in headers["Content-Security-Policy"].split("; ")]
    return {name: values for name, _, values in directives}


def test_the_policy_names_no_other_host_and_evaluates_no_text() -> None:
    directives = policy()
    assert directives["default-src"] == directives["frame-ancestors"] == "'none'"
    text = " ".join(directives.values())
    assert not re.search(r"https?:|\*|unsafe-eval|unsafe-hashes", text)
    assert "unsafe-inline" not in directives["script-src"]


def test_each_inline_script_of_the_document_is_listed() -> None:
    inline = re.findall(r"<script>", page_document())
    assert len(re.findall(r"'sha256-[A-Za-z0-9+/]{43}='", policy()["script-src"])) == len(inline) > 0
    assert not re.search(r"<script(?! type=\"module\" crossorigin src=)[^>]+>", page_document())


@pytest.mark.parametrize(
    ("text", "ancestors"),
    [
        ("", "'none'"),
        (" , ", "'none'"),
        ("https://intranet.shop.example", "https://intranet.shop.example"),
        ("https://A.example:8443, http://[::1]:80", "https://a.example:8443 http://[::1]:80"),
        ("https://*.shop.example", "https://*.shop.example"),
    ],
)
def test_ancestors_are_origins(text: str, ancestors: str) -> None:
    assert read_ancestors(text) == ancestors
    assert policy(read_ancestors(text))["frame-ancestors"] == ancestors


@pytest.mark.parametrize(
    "text",
    ["*", "shop.example", "https://", "https://a.example/path", "https://a.example; script-src *", "'self'", "data:",
     "https://a.example\r\nX: y", "ftp://a.example", "https://a b"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected origins such as https://"):
        read_ancestors(text)
