"""docs/security.md lists the rights that the containers grant and the tests use."""

from tools.access_tables import DOCUMENT, with_rights


def test_the_document_is_up_to_date() -> None:
    document = DOCUMENT.read_text("utf-8")
    assert with_rights(document) == document, "run make docs"


def test_the_document_has_every_block() -> None:
    assert DOCUMENT.read_text("utf-8").count("<!-- generated: ") == 3
