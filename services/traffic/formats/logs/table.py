"""The table of log formats: a row is all that another one takes, besides its module."""

from collections.abc import Callable, Mapping
from typing import Final

from services.traffic.formats.logs.aws_alb import parse_alb
from services.traffic.formats.logs.caddy import parse_caddy
from services.traffic.formats.logs.combined import parse_combined
from services.traffic.formats.logs.haproxy import parse_haproxy
from services.traffic.formats.logs.nginx_json import parse_nginx_json
from services.traffic.formats.logs.reading import Parse, is_request, of_objects, of_text
from services.traffic.formats.logs.traefik import parse_traefik
from services.traffic.formats.logs.w3c_extended import is_w3c_directive, w3c_parser

LOG_FORMATS: Final[Mapping[str, Callable[[], Parse]]] = {
    "access-log": lambda: parse_combined,
    "nginx-json": lambda: of_objects(parse_nginx_json),
    "caddy": lambda: of_objects(parse_caddy),
    "traefik": lambda: of_objects(parse_traefik),
    "w3c": w3c_parser,
    "alb": lambda: of_text(parse_alb),
    "haproxy": lambda: of_text(parse_haproxy),
}
"""A new parser for one log, by the format's name on the command line. A line is of one of them at most."""


def proven_log_format(line: str) -> str | None:
    """The name of the log format that this line alone proves."""
    if is_w3c_directive(line):
        return "w3c"
    return next((name for name, parser in LOG_FORMATS.items() if name != "w3c" and is_request(line, parser())), None)
