"""The built script as the collector serves it. Pure, except that it is read at import."""

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Final

CONTENT: Final = Path(__file__).with_name("s.js").read_bytes()
CONTENT_TYPE: Final = "text/javascript; charset=utf-8"
GZIPPED: Final = gzip.compress(CONTENT, 9, mtime=0)
ETAG: Final = f'W/"{sha256(CONTENT).hexdigest()[:16]}"'
"""Weak, because both encodings have the same one."""
