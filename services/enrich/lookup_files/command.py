"""`clickpulse load-lookups`: writes products and visitors from files into the Redis hashes that enrich reads."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from typing import Final

import redis

from services.enrich.lookup_files.columns import listed
from services.enrich.lookup_files.fields import PRODUCTS, VISITORS, Kind
from services.enrich.lookup_files.loader import Loader, Summary
from services.enrich.lookup_files.rows import UnreadableFile
from services.enrich.privacy.lookup_names import LookupNames
from services.enrich.settings import LookupSettings
from shared.runtime.dependency import Stopped
from shared.runtime.logs import configure_logs, get_logger
from shared.runtime.redis_client import check_server, connect, redis_address
from shared.runtime.settings import CONFIGURATION_ERROR_EXIT_CODE, ConfigurationError, read_settings
from shared.runtime.settings_help import settings_help
from shared.runtime.signals import stop_on_signals

_DESCRIPTION: Final = """\
Write products and visitors into Redis for enrich. Loading a file again changes nothing; a changed row replaces the
stored one.

A file is a JSON array, NDJSON, CSV or TSV with a header, or a Google Merchant feed in XML, plain or gzip; the format is
detected from its content. Exports of Shopify and WooCommerce and Google Merchant feeds are recognised by their columns;
for other names use --map. An unusable row is refused with its reason and counted."""

_EPILOG: Final = """\
examples:
  clickpulse load-lookups --products products_export_1.csv
  clickpulse load-lookups --products items.csv --map article=productId --map section=category

"""

logger = get_logger(__name__)


def main(argv: Sequence[str]) -> int:
    """Load the files. Returns the exit code: 0 done, 1 failed or nothing loaded, 2 wrong option or setting."""
    parser = _parser()
    options = parser.parse_args(argv)
    files: list[tuple[Kind, Path]] = [
        (kind, path) for kind, path in ((PRODUCTS, options.products), (VISITORS, options.visitors)) if path is not None
    ]
    if not files:
        parser.error("nothing to load: give --products FILE or --visitors FILE, or both")
    for kind, path in files:
        if not path.is_file():
            parser.error(f"--{kind.name}: {path} is not a file; give a JSON, NDJSON or CSV file, plain or gzip")
    known = [field for kind, _ in files for field in kind.fields]
    for theirs, ours in options.renames:
        if ours not in known:
            parser.error(f"argument --map: {theirs}={ours}: expected one of {', '.join(known)}, got {ours!r}")
    try:
        settings = read_settings(LookupSettings)
    except ConfigurationError as error:
        print(f"clickpulse load-lookups: {error}", file=sys.stderr)  # noqa: T201 - before the logs are set up
        return CONFIGURATION_ERROR_EXIT_CODE
    configure_logs("load-lookups", settings.log_format, settings.log_level)
    stop = Event()
    with stop_on_signals(stop), connect(settings.redis_url) as client:
        names = None
        if settings.hash_user_id != "off":
            names = LookupNames(client, settings.redis_prefix, settings.hash_salt)
        address = redis_address(settings.redis_url)
        loader = Loader(
            client,
            settings.redis_prefix,
            address,
            stop,
            names=names,
            limits=settings.limits,
            erasure_key=settings.erasure_key,
        )
        check_server(settings.redis_url)
        try:
            return max(_load(loader, kind, path, options.renames, is_pruned=options.prune) for kind, path in files)
        except (UnreadableFile, redis.RedisError) as error:
            logger.error("loading failed", reason=str(error))  # noqa: TRY400 - no trace wanted
        except Stopped:
            logger.warning("stopped before the end")  # rows already loaded stay; the next run starts over
    return 1


def _load(loader: Loader, kind: Kind, path: Path, renames: Sequence[tuple[str, str]], *, is_pruned: bool) -> int:
    summary = loader.load(kind, path, renames, is_pruned=is_pruned)
    for line in report(kind, summary, is_pruned=is_pruned):
        print(line)  # noqa: T201 - the command's answer
    return 0 if summary.loaded else 1


def report(kind: Kind, summary: Summary, *, is_pruned: bool) -> Iterator[str]:
    """The lines that tell the user what became of a file."""
    line = f"{kind.name}: {summary.loaded:,} loaded, {summary.refused.total():,} refused"
    line += f", {summary.further:,} further rows of a product (variants, images)" if summary.further else ""
    yield line + (f", {summary.pruned:,} deleted" if is_pruned else "")
    if summary.columns is not None and not summary.columns.are_own:
        yield f"  {summary.columns}"
    if not (summary.loaded or summary.refused):
        yield f"  warning: the file holds no {kind.name}"
    for reason, rows in summary.refused.most_common():
        yield f"  refused {rows:,}: {reason}"
    if summary.columns is not None and summary.loaded:
        for field in summary.empty:
            yield (
                f"  warning: no row has a {field}, so the dashboard shows it as unknown. The columns are "
                f"{listed(summary.columns.found)}; if one holds it, add --map COLUMN={field}"
            )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clickpulse load-lookups",
        description=_DESCRIPTION,
        epilog=f"{_EPILOG}{settings_help(LookupSettings)}\n\n"
        "Exit codes: 0 done, 1 failed or nothing loaded, 2 wrong option or setting.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--products", type=Path, metavar="FILE", help="products: productId (or id), category (or cat), title"
    )
    parser.add_argument(
        "--visitors",
        type=Path,
        metavar="FILE",
        help="visitors: userId (or id), gender (M, F, U), birthDate (or birthday; YYYY-MM-DD)",
    )
    parser.add_argument(
        "--map",
        type=_renaming,
        action="append",
        default=[],
        dest="renames",
        metavar="COLUMN=FIELD",
        help="read FIELD (productId, category, title, userId, gender, birthDate) from COLUMN; in nested JSON, COLUMN "
        "may be a path such as product.title. Repeat for more",
    )
    parser.add_argument(
        "--prune", action="store_true", help="then delete the products (visitors) in Redis that are not in FILE"
    )
    return parser


def _renaming(text: str) -> tuple[str, str]:
    column, equals, field = text.rpartition("=")
    if not (column and equals and field):
        raise argparse.ArgumentTypeError(f"expected COLUMN=FIELD, such as section=category, got {text!r}")
    return column, field


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
