"""docs/privacy.md and SECURITY.md state facts; these are the ones that code can check."""

import re
from pathlib import Path

import msgspec
import pytest

from services.aggregate.publishing.replicas import KEPT_SECONDS
from services.enrich.erasure.options import export_parser, forget_parser
from shared.events.schema import EnrichedEvent, RawEvent
from shared.privacy.erasure_watch import LOOK_SECONDS
from shared.privacy.erasures import KEPT_MS
from shared.privacy.keys import VISITOR_KEYS
from shared.rollups.model import KEY_TTL_SECONDS, LATEST_EVENTS_SHOWN, LATEST_VISITORS_SHOWN
from shared.runtime.settings_help import as_variable
from tests.unit.project.test_env_example import SETTINGS
from tools.redis_keys import with_tables

ROOT = Path(__file__).parents[3]
PRIVACY = (ROOT / "docs" / "privacy.md").read_text("utf-8")
SECURITY = (ROOT / "SECURITY.md").read_text("utf-8")
OPTIONS = {name.upper(): field.default for settings in SETTINGS for name, field in settings.model_fields.items()}
NO_SETTINGS = {"BGREWRITEAOF"}  # of Redis


def section(document: str, title: str) -> str:
    return document.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_every_field_of_a_click_has_a_row() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", section(PRIVACY, "Fields"), re.MULTILINE)
    names = [field.name for event in (RawEvent, EnrichedEvent) for field in msgspec.structs.fields(event)]
    assert sorted(listed) == sorted(set(names))


def test_the_table_of_keys_is_that_of_the_code() -> None:
    assert with_tables(PRIVACY) == PRIVACY, "docs/privacy.md is out of date: run `make docs`"


@pytest.mark.parametrize("document", [PRIVACY, SECURITY], ids=["privacy.md", "SECURITY.md"])
def test_every_setting_exists_and_has_the_stated_default(document: str) -> None:
    named = set(re.findall(r"`([A-Z][A-Z0-9_]{3,})(?:=\w+)?`", document))
    assert named - NO_SETTINGS <= OPTIONS.keys()
    stated = re.findall(r"`([A-Z][A-Z0-9_]{3,})`\s+\(?`?([0-9][0-9.]*[0-9]|(?<=\(`)[\w-]+(?=`\))|[0-9])", document)
    assert stated
    assert dict(stated) == {name: as_variable(OPTIONS[name]) for name, _ in stated}


def test_raw_clicks_and_dead_letters_stay_as_long_as_stated() -> None:
    for name in ("RAW_RETENTION_HOURS", "DLQ_RETENTION_HOURS"):
        assert f"`{name}`, else `RETENTION_HOURS` (24)" in PRIVACY
        assert OPTIONS[name] is None


def test_stated_times_and_numbers_are_those_of_the_code() -> None:
    words = {2: "two", 10: "ten", 100: "hundred"}
    expiry = {row.key: row.expires for row in VISITOR_KEYS}
    holds = {row.key: row.holds for row in VISITOR_KEYS}
    assert f"for {KEPT_MS // 86_400_000} days, longer if a topic keeps" in PRIVACY.replace("\n", " ")
    assert f"{KEPT_MS // 86_400_000} days" in expiry["privacy:erasures"]
    assert f"within {words[int(LOOK_SECONDS)]} seconds" in PRIVACY
    assert f"{KEY_TTL_SECONDS // 3600} h after" in expiry["raw_data"]
    assert f"{KEPT_SECONDS} s" == expiry["aggregate:reports:<instant>"]
    assert words[LATEST_EVENTS_SHOWN] in holds["raw_data"]
    assert words[LATEST_VISITORS_SHOWN] in holds["rollup:visitors:latest"]
    assert f"`--wait`, {forget_parser().get_default('wait')} seconds" in PRIVACY


def test_the_commands_are_called_as_stated() -> None:
    assert forget_parser().parse_args(["ann", "bob", "--dry-run"]).users == ["ann", "bob"]
    assert export_parser().parse_args(["ann"]).user == "ann"


@pytest.mark.parametrize("path", [ROOT / "docs" / "privacy.md", ROOT / "SECURITY.md"], ids=lambda path: path.name)
def test_every_link_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text("utf-8"))
    assert [link for link in links if not link.startswith("http") and not (path.parent / link).exists()] == []
    for name in re.findall(r"`((?:tests|docs|services|shared)/[\w/.]*)`", path.read_text("utf-8")):
        assert (ROOT / name).exists(), name
