"""`clickpulse hash-password` and `clickpulse share`."""

import io
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from services import cli
from services.dashboard.sign_in.passwords import read_passwords
from services.dashboard.sign_in.settings import SignInSettings
from services.dashboard.sign_in.tokens import Share, Signer


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in SignInSettings.model_fields:
        monkeypatch.delenv(field.upper(), raising=False)


@pytest.fixture
def secret_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("DASHBOARD_AUTH", "password")
    monkeypatch.setenv("DASHBOARD_PASSWORD_FILE", str(tmp_path / "passwords"))
    monkeypatch.setenv("DASHBOARD_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("DASHBOARD_URL", "https://stats.shop.example/shop/")
    return tmp_path / "secret"


def test_a_hashed_password_is_a_line_of_the_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    assert cli.main(["hash-password", "viewer"]) == 0
    printed = capsys.readouterr().out
    assert "correct" not in printed
    assert read_passwords(printed, "FILE").role_of("correct horse battery") == "viewer"


@pytest.mark.parametrize("typed", ["", "short\n", "x" * 1_001])
def test_a_short_or_endless_password_is_refused(
    typed: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert cli.main(["hash-password", "viewer"]) == 2
    assert "12 to 1000 characters" in capsys.readouterr().err


def test_a_shared_link_names_its_page_choices_and_end(secret_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["share", "explore?window=15+min", "--hours", "2"]) == 0
    printed = urlsplit(capsys.readouterr().out.strip())
    assert f"{printed.scheme}://{printed.netloc}{printed.path}" == "https://stats.shop.example/shop/explore"
    parameters = parse_qs(printed.query)
    assert parameters["window"] == ["15 min"]
    share = Signer(secret_file.read_text().strip().encode()).read(Share, parameters["share"][0])
    assert share is not None
    assert share.page == "explore"
    assert secret_file.stat().st_mode & 0o777 == 0o600


def test_a_shared_link_is_bound_to_the_site_of_its_page(secret_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for page, of in (("live?of=My+shop&audience=Humans", "My shop"), ("live", "")):
        assert cli.main(["share", page]) == 0
        (token,) = parse_qs(urlsplit(capsys.readouterr().out.strip()).query)["share"]
        share = Signer(secret_file.read_text().strip().encode()).read(Share, token)
        assert share is not None
        assert share.of == of


@pytest.mark.parametrize("page", ["nowhere", "", "/explore", "live#x", "explore?<script>", "explore?share=x"])
def test_only_pages_can_be_shared(page: str, secret_file: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["share", page])
    assert ended.value.code == 2
    assert not secret_file.exists()


@pytest.mark.parametrize("hours", ["0", "-1", "nan", "inf", "many", "9999999"])
def test_a_link_ends(hours: str, secret_file: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["share", "live", "--hours", hours])
    assert ended.value.code == 2
    assert not secret_file.exists()


@pytest.mark.parametrize("missing", ["DASHBOARD_AUTH", "DASHBOARD_SECRET_FILE", "DASHBOARD_URL"])
def test_what_a_link_needs_is_named(
    missing: str, secret_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(missing)
    assert cli.main(["share", "live"]) == 2
    assert missing in capsys.readouterr().err
    assert not secret_file.exists()


def test_a_short_secret_is_refused_and_not_shown(secret_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret_file.write_text("hush")
    assert cli.main(["share", "live"]) == 2
    assert "hush" not in capsys.readouterr().err
