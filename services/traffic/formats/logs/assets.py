"""Which paths are parts of a page rather than pages. Pure."""

from typing import Final

_SUFFIXES: Final = frozenset(
    (
        *("css", "js", "mjs", "map", "wasm", "json", "webmanifest", "xml", "txt"),
        *(
            "apng",
            "avif",
            "bmp",
            "cur",
            "gif",
            "heic",
            "ico",
            "jpeg",
            "jpg",
            "png",
            "svg",
            "svgz",
            "tif",
            "tiff",
            "webp",
        ),
        *("eot", "otf", "ttf", "woff", "woff2"),
        *("aac", "flac", "m3u8", "m4a", "m4s", "m4v", "mov", "mp3", "mp4", "mpeg", "mpg", "ogg", "ogv", "ts", "vtt"),
        *("wav", "weba", "webm", "swf"),
    )
)
_FOLDERS: Final = ("/.well-known/", "/_next/", "/_nuxt/", "/cdn-cgi/")
_COMPRESSED: Final = (".gz", ".br", ".zst")


def is_asset(path: str) -> bool:
    """Whether a path is a style sheet, script, image, font, medium, data or a file for crawlers, by its suffix.

    >>> is_asset("/sitemap.xml.gz"), is_asset("/a.css;v=1"), is_asset("/_next/image"), is_asset("/list.gz")
    (True, True, True, False)
    >>> is_asset("/static/logo.PNG"), is_asset("/favicon.ico"), is_asset("/v1.2/shoes"), is_asset("/guide.pdf")
    (True, True, False, False)
    """
    name = path.rpartition("/")[2].partition(";")[0]
    if name.endswith(_COMPRESSED):  # `/sitemap.xml.gz`
        name = name.rpartition(".")[0]
    _, dot, suffix = name.rpartition(".")
    return (dot == "." and suffix.lower() in _SUFFIXES) or path.startswith(_FOLDERS)
