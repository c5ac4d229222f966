"""The command line of `clickpulse replay`."""

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.traffic import options
from services.traffic.formats.choices import OFFERED, Choices, Format
from services.traffic.formats.columns import FIELDS
from services.traffic.formats.entries import UnusableRecording
from services.traffic.formats.logs.apache_format import apache_parser
from services.traffic.formats.presets import LAYOUTS, Preset, with_preset
from services.traffic.formats.sales import SALE_FIELDS
from services.traffic.opening import STANDARD_INPUT, is_repeatable
from services.traffic.settings import TrafficSettings
from shared.runtime.settings_help import settings_help

_DESCRIPTION = """\
Send a recording of clicks to the event log.

FILE is NDJSON, a CSV with a header (cells separated by comma, semicolon, | or tab), or a server log; plain, gzip, bz2,
xz, zstd, or a zip that holds one file; in UTF-8, UTF-16 or UTF-32.
- is standard input. Each line is sent, or skipped or refused with a reason; a summary accounts for all of them, also
after Ctrl-C.

Server logs: combined and common (Apache, nginx, with or without virtual host), JSON of nginx, Caddy and Traefik, W3C
extended (IIS, CloudFront), AWS load balancers, HAProxy, and --log-format for others; also as syslog, container
runtimes and log shippers wrap them. Page views are sent: GET requests with a status below 400 that are no assets."""

_EPILOG = """\
examples:
  clickpulse replay clicks.jsonl.gz --shift-to-now
  clickpulse replay shop.csv --map visitor=userId --map sku=productId --speed 60
  clickpulse replay logs.ndjson --map ts=timestamp --map client_ip=ip --map request.headers.User-Agent.0=userAgent
  clickpulse replay orders.csv --map total=value --map order=orderId --map kind=eventType --sales purchase
  clickpulse replay 2019-Oct.csv.gz --preset rees46 --shift-to-now
  clickpulse replay access.log.zip --shift-to-now --speed 1 --loop
  clickpulse replay intranet.log --log-format '%h %l %u %t "%r" %>s %b %D' --all
  tail -F /var/log/nginx/access.log | clickpulse replay -

exit codes: 0 sent, or stopped by Ctrl-C; 1 nothing sent, or a damaged recording (sent up to there); 2 wrong option."""


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What to replay and how; `speed` is infinite for `max`."""

    file: str
    choices: Choices
    speed: float
    shift_to_now: bool
    loop: bool
    limit: int | None
    refused: Path | None


def parse(argv: Sequence[str]) -> ReplayOptions:
    """Read the command line. Exits with code 2 and a message when it is wrong."""
    parser = _parser()
    given = parser.parse_args(argv)
    if given.file != STANDARD_INPUT and not Path(given.file).exists():
        parser.error(f"FILE {given.file} does not exist; - is standard input")
    if not is_repeatable(given.file):
        if given.shift_to_now:
            parser.error(
                "--shift-to-now needs the last event before it sends the first, and a pipe can be read only once; "
                "name a file"
            )
        if given.loop:
            parser.error("--loop reads the recording again, and a pipe can be read only once; name a file")
    choices = _choices(parser, given)
    if given.refused is not None and not given.refused.parent.is_dir():
        parser.error(f"--refused {given.refused}: folder {given.refused.parent} does not exist")
    return ReplayOptions(
        file=given.file,
        choices=choices,
        speed=given.speed,
        shift_to_now=given.shift_to_now,
        loop=given.loop,
        limit=given.limit,
        refused=given.refused,
    )


def _choices(parser: ArgumentParser, given: Namespace) -> Choices:
    names = {ours: theirs for theirs, ours in given.map}
    for theirs, ours in given.map:
        if ours not in FIELDS:
            parser.error(f"--map {theirs}={ours}: expected one of {', '.join(FIELDS)} after the =, got {ours!r}")
    if len(names) < len(given.map):
        parser.error("--map: give each field one column, such as --map visitor=userId --map sku=productId")
    chosen = None if given.format == "auto" else Format(given.format)
    _check_log_options(parser, chosen, given.log_format, "--map" if names else "--sales" if given.sales else None)
    sales = frozenset(given.sales)
    choices = Choices(format=chosen, names=names, log_format=given.log_format, takes_all=given.all, sales=sales)
    if given.preset is not None:
        if given.log_format is not None:
            parser.error(f"--preset {given.preset} says the format; leave out --log-format")
        if choices.format is not None:
            parser.error(f"--preset {given.preset} says the format; leave out --format {given.format}")
        choices = with_preset(choices, Preset(given.preset))
    return choices


def _check_log_options(
    parser: ArgumentParser, chosen: Format | None, log_format: str | None, of_columns: str | None
) -> None:
    if of_columns and (log_format or (chosen and not chosen.has_columns)):
        parser.error(f"{of_columns} works with ndjson, csv and tsv; the fields of a server log are fixed")
    if log_format is None:
        return
    if chosen not in (None, Format.ACCESS_LOG):
        parser.error(f"--log-format describes an access log, but --format says {chosen}; leave one out")
    try:
        apache_parser(log_format)
    except UnusableRecording as error:
        parser.error(str(error))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="clickpulse replay",
        description=_DESCRIPTION,
        epilog=f"{_EPILOG}\n\n{settings_help(TrafficSettings)}",
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="the recording, or - for standard input")
    parser.add_argument(
        "--format",
        choices=["auto", *OFFERED],
        default="auto",
        help="default: detected from the first lines and the file's name",
    )
    parser.add_argument(
        "--log-format",
        metavar="FORMAT",
        help="the format of a server log in the words of Apache's LogFormat, such as"
        " '%%v:%%p %%h %%l %%u %%t \"%%r\" %%>s %%O'",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="of a server log, send every request; by default only page views: GET, a status below 400, no asset."
        " Of GA4, also the events that accompany each page",
    )
    parser.add_argument(
        "--preset",
        choices=[*Preset],
        help="the layout of a public data set or export: "
        + "; ".join(f"{preset}, {layout.of}" for preset, layout in LAYOUTS.items()),
    )
    parser.add_argument(
        "--map",
        metavar="THEIRS=OURS",
        type=options.renaming,
        action="append",
        default=[],
        help="read field OURS from column THEIRS, in JSON from a path such as request.headers.User-Agent.0; repeatable,"
        " and two fields may have one column (ndjson, csv, tsv)",
    )
    parser.add_argument(
        "--sales",
        metavar="EVENT_TYPE",
        action="append",
        default=[],
        help="read "
        + ", ".join(name for name in FIELDS if name in SALE_FIELDS)
        + " only from events of this type, where others carry a price, too; repeatable (ndjson, csv, tsv)",
    )
    parser.add_argument(
        "--speed",
        type=options.speed,
        default="max",
        metavar="N|max",
        help="1 as recorded, 60 an hour per minute, max (the default) as fast as the log accepts",
    )
    parser.add_argument(
        "--shift-to-now",
        action="store_true",
        help="shift all times equally so that the last event carries its send time: with --speed max the recording ends"
        " now, with --speed 1 every event carries its send time; original_timestamp keeps the recorded time",
    )
    parser.add_argument("--loop", action="store_true", help="start over at the end, until Ctrl-C or --limit")
    parser.add_argument("--limit", type=options.count, metavar="N", help="send at most N events")
    parser.add_argument("--refused", type=Path, metavar="FILE", help="write the refused lines to this file")
    return parser
