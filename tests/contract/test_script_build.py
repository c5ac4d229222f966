"""The checked-in script is what its source builds, and its published types fit it."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from services.collect.script.content import CONTENT
from tests.conftest import or_skip
from tests.support.npm_package import installed
from tools.browser_script.build import PACKAGE, built, type_errors

USAGE = """
clickpulse('event', 'Signup', { plan: 'pro' })
clickpulse('event', 'Purchase', { value: 49.9, currency: 'EUR', quantity: 1, orderId: 1001, productId: null })
clickpulse('view')
clickpulse('view', { url: '/virtual' })
window.clickpulse = window.clickpulse || function () { (clickpulse.q = clickpulse.q || []).push(arguments) }
// @ts-expect-error
clickpulse('event')
// @ts-expect-error
clickpulse('evnt', 'Signup')
// @ts-expect-error
clickpulse('event', 'Purchase', { quantity: 'two' })
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    """Where npm installed what builds the script."""
    with or_skip(lambda: nullcontext(installed(PACKAGE))) as folder:
        return folder


def test_the_checked_in_script_is_what_its_source_builds(programs: Path) -> None:
    assert built(programs) == CONTENT, "run `make script` after a change of clickpulse.ts"


def test_the_types_fit_the_script_and_its_documented_use(programs: Path, tmp_path: Path) -> None:
    usage = tmp_path / "usage.ts"
    usage.write_text(USAGE)
    assert type_errors(programs, usage) == ""


def test_a_wrong_use_is_a_type_error(programs: Path, tmp_path: Path) -> None:
    usage = tmp_path / "usage.ts"
    usage.write_text("clickpulse('view', 'Signup')")
    assert "usage.ts(1,20)" in type_errors(programs, usage)
