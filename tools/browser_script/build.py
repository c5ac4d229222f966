"""From `clickpulse.ts` to `s.js`: esbuild removes the types, and terser makes it small.

terser's output is 34 bytes smaller, compressed, than what esbuild makes on its own.
"""

import subprocess
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[2] / "services" / "collect" / "script"
PACKAGE: Final = Path(__file__).with_name("package.json")

_BROWSERS: Final = "es2018"  # those from 2019 on
_TYPE_CHECKS: Final = ("--noEmit", "--strict", "--ignoreConfig", "--types", "", "--lib", "es2018,dom,dom.iterable")


def built(programs: Path) -> bytes:
    """The script as browsers get it. `programs` is where npm installed PACKAGE."""
    plain = _run(programs, "esbuild", f"--target={_BROWSERS}", str(FOLDER / "clickpulse.ts"))
    return _run(programs, "terser", "--ecma", "2018", "--compress", "passes=3", "--mangle", given=plain)


def type_errors(programs: Path, *usages: Path) -> str:
    """What TypeScript finds wrong with the script, its published types and files that use them; empty if nothing."""
    files = [*(FOLDER / name for name in ("clickpulse.ts", "clickpulse.d.ts")), *usages]
    command = [_program(programs, "tsc"), *_TYPE_CHECKS, *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout  # noqa: S603


def _run(programs: Path, name: str, *arguments: str, given: bytes = b"") -> bytes:
    command = [_program(programs, name), *arguments]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603


def _program(programs: Path, name: str) -> str:
    return str(programs / "node_modules" / ".bin" / name)
