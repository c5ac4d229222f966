"""Headless Chromium, the machine's own or Playwright's."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, BrowserType, sync_playwright

from tests.support.servers.server_process import ServerMissing

_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu")  # Chromium's sandbox does not run as root


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """One browser. A thread can run only one such block; `launch` starts more browsers in it. Raises ServerMissing."""
    with sync_playwright() as playwright:
        browser = launch(playwright.chromium)
        try:
            yield browser
        finally:
            browser.close()


def launch(browser_type: BrowserType, *arguments: str, without: Sequence[str] = ()) -> Browser:
    """Start a browser, without some of the arguments that Playwright gives it. Raises ServerMissing."""
    return browser_type.launch(
        executable_path=executable(browser_type),
        args=[*_ARGUMENTS, *arguments],
        ignore_default_args=list(without),
    )


@contextmanager
def unattended_chromium(path: str, profile: Path, url: str) -> Iterator[None]:
    """A headless browser that shows the page and that nobody steers: the presence of a debugger forbids some things."""
    process = subprocess.Popen(
        [path, "--headless=new", *_ARGUMENTS, "--no-first-run", f"--user-data-dir={profile}", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def executable(browser_type: BrowserType) -> str:
    """The path of the browser. Raises ServerMissing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    path = found or browser_type.executable_path
    if not Path(path).exists():
        raise ServerMissing("no Chromium: neither on the PATH nor installed by `playwright install chromium`")
    return path
