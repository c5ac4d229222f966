"""The scripts of our Streamlit components, which browsers load once and keep."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Script:
    """A component's JavaScript module, which exports its function as default.

    Streamlit sends what it is given as a script along with every refresh of each element. So it gets `loader`, one line
    that imports the module from `address`, where `web.assets` serves it.
    """

    name: str
    text: str

    @property
    def address(self) -> str:
        """Relative to the dashboard's own; contains a checksum."""
        return f"assets/{self.name}-{crc32(self.text.encode()):08x}.js"

    @property
    def loader(self) -> str:
        """A module that exports what this one does."""
        imported = f'await import(new URL("{self.address}", document.baseURI))'
        return f"const {{ default: show }} = {imported}\nexport default show\n"


def joined(*names: str) -> str:
    """These files of the folder as one script."""
    return "\n".join((_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in names)
