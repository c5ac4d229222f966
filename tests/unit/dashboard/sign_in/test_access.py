"""The header by which the gate tells the app what someone may see."""

import pytest

from services.dashboard.sign_in.access import EVERYTHING, Access, header_of, read_header


@pytest.mark.parametrize("access", [EVERYTHING, Access(role="viewer", page="", name="v@shop.example", until_s=5)])
def test_an_access_reads_back_from_its_header(access: Access) -> None:
    assert read_header(header_of(access)) == access


@pytest.mark.parametrize("value", [None, "", "analyst", 7, '{"role":"admin"}', '{"role":"viewer","more":1}', "[]"])
def test_anything_else_is_no_access(value: object) -> None:
    assert read_header(value) is None
