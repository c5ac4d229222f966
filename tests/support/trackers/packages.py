"""Scripts that use trackers from npm, for pages and for Node."""

import subprocess
from pathlib import Path
from typing import Final

from tests.support.npm_package import installed

_PACKAGE: Final = Path(__file__).with_name("package.json")


def bundled(source: str) -> str:
    """A script for a page, with the packages that the module imports in it. Raises ServerMissing."""
    return _run([str(Path("node_modules") / ".bin" / "esbuild"), "--bundle", "--format=iife"], source)


def run_in_node(source: str) -> str:
    """What the script, which may require the packages, writes to its standard output. Raises ServerMissing."""
    return _run(["node", "-"], source)


def _run(command: list[str], source: str) -> str:
    done = subprocess.run(
        command, cwd=installed(_PACKAGE), input=source, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
