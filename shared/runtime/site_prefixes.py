"""DASHBOARD_SITES: the prefixes under which aggregate publishes, each with a label for people. Pure."""

from typing import Final, NamedTuple

_LONGEST_LABEL: Final = 40
_LONGEST_PREFIX: Final = 64
_EXPECTED: Final = "expected a label and a prefix for each site, such as All sites=,Shop=shop:"


class SitePrefix(NamedTuple):
    """A site, or all of them, and the REDIS_PREFIX of its numbers."""

    label: str
    prefix: str


def read_site_prefixes(text: str) -> tuple[SitePrefix, ...]:
    """The sites in the order of the text; none for empty text. Raises ValueError."""
    sites = []
    for pair in filter(None, map(str.strip, text.split(","))):
        label, mark, prefix = (part.strip() for part in pair.partition("="))
        if not (mark and 0 < len(label) <= _LONGEST_LABEL and label.isprintable() and len(prefix) <= _LONGEST_PREFIX):
            raise ValueError(f"{_EXPECTED}, got {pair!r:.80}")
        sites.append(SitePrefix(label, prefix))
    for names in zip(*sites, strict=True):
        if len({*names}) < len(names):
            raise ValueError(f"{_EXPECTED}, each of them once, got {text!r:.200}")
    return tuple(sites)
