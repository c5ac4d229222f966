"""Headless Chromium, the machine's own or Playwright's."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, sync_playwright

from tests.support.servers.server_process import ServerMissing


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """One browser. A thread can run only one such block; `launch` starts more browsers in it. Raises ServerMissing."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        try:
            yield browser
        finally:
            browser.close()


def launch(browser_type: BrowserType, *arguments: str) -> Browser:
    """Start a browser. Raises ServerMissing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    path = found or browser_type.executable_path
    if not Path(path).exists():
        raise ServerMissing("no Chromium: neither on the PATH nor installed by `playwright install chromium`")
    # No sandbox: Chromium's does not run as root.
    return browser_type.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu", *arguments])
