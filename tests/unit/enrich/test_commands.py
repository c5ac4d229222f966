"""A wrong option or setting ends a command with code 2 and a message that says what is expected."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from services.enrich import __main__ as enrich_command
from services.enrich.lookup_files import command as load_lookups
from shared.runtime.configuration import ConfigurationError


def test_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENRICH_BATCH_RECORDS", "many")
    with pytest.raises(ConfigurationError, match=r"ENRICH_BATCH_RECORDS.*integer"):
        enrich_command.main([])


def test_enrich_takes_no_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        enrich_command.main(["now"])
    assert ended.value.code == 2
    assert "clickpulse enrich" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--products FILE"),
        (["--products", "nowhere.json"], "--products: nowhere.json is not a file"),
        (["--visitor=x", "--prunes"], "--prune"),
        (["--products", __file__, "--map", "section"], "expected COLUMN=FIELD, such as section=category"),
        (["--products", __file__, "--map", "id=userId"], "expected one of productId, category, title, got 'userId'"),
    ],
)
def test_wrong_option_of_load_lookups_is_named(
    arguments: Sequence[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        load_lookups.main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_wrong_setting_of_load_lookups_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    products = tmp_path / "products.json"
    products.write_text("[]")
    monkeypatch.setenv("REDIS_URL", "localhost:6379")
    assert load_lookups.main(["--products", str(products)]) == 2
    assert "REDIS_URL" in capsys.readouterr().err
