"""Writes `services/collect/script/s.js`: `python -m tools.browser_script`."""

import gzip
import sys

from tools.browser_script.build import FOLDER, PACKAGE, built, type_errors
from tools.npm import NpmMissing, installed

try:
    programs = installed(PACKAGE)
except NpmMissing as missing:
    sys.exit(str(missing))
if errors := type_errors(programs):
    sys.exit(errors)
content = built(programs)
(FOLDER / "s.js").write_bytes(content)
sys.stdout.write(f"{FOLDER / 's.js'}: {len(content):,} bytes, {len(gzip.compress(content)):,} compressed\n")
