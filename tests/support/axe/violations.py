"""What axe-core, npm's, finds on a page."""

from pathlib import Path
from typing import Final

from playwright.sync_api import Page

from tests.support.npm_package import installed

_PACKAGE: Final = Path(__file__).with_name("package.json")
_RUN: Final = """() => axe.run().then(({ passes, violations }) => ({
    passed: passes.length,
    violations: violations.flatMap(({ id, nodes }) => nodes.map(
        ({ target, failureSummary }) => `${id}: ${target.join(' ')}: ${failureSummary}`)),
}))"""


def axe_script() -> str:
    """axe-core, which npm fetches the first time. Raises ServerMissing."""
    return (installed(_PACKAGE) / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page: Page, script: str) -> list[str]:
    """What breaks a rule on the page, each with the rule, the place and the reason."""
    page.evaluate(script)
    found = page.evaluate(_RUN)
    assert found["passed"] > 10, "axe looked at nothing"
    broken: list[str] = found["violations"]
    return broken
