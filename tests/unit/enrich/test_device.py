"""Device types: each rule, and the accuracy on labelled user agents if those are available."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from services.enrich.attributes.device import device_type_of
from shared.events.schema import DEVICE_TYPES

LABELLED = Path(__file__).parents[4] / "shared" / "data" / "user_agents_labelled.csv"

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"{WEBKIT} Chrome/120.0.0.0"


@pytest.mark.parametrize(
    ("user_agent", "device_type"),
    [
        # Bot, whatever it claims to run on
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Bot"),
        (
            f"Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) {CHROME} Mobile Safari/537.36 (compatible; Googlebot/2.1)",
            "Bot",
        ),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/120.0.0.0 Safari/537.36", "Bot"),
        ("curl/8.5.0", "Bot"),
        ("python-requests/2.31.0", "Bot"),
        # TV or console
        (f"Mozilla/5.0 (Web0S; Linux/SmartTV) {CHROME} Safari/537.36", "Other"),
        (f"Mozilla/5.0 (SMART-TV; Linux; Tizen 5.0) {WEBKIT} SamsungBrowser/2.2 Chrome/63.0 TV Safari/537.36", "Other"),
        (f"Mozilla/5.0 (Linux; Android 7.1.2; AFTMM Build/NS6265; wv) {CHROME} Mobile Safari/537.36", "Other"),
        (f"Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2) {CHROME} Safari/537.36", "Other"),
        (
            "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0",
            "Other",
        ),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) {CHROME} Safari/537.36 Edge/20.02", "Other"),
        ("Mozilla/5.0 (Nintendo Switch; WebApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.2.21.3", "Other"),
        # Tablet
        (
            "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "Tablet",
        ),
        (f"Mozilla/5.0 (Linux; Android 13; SM-X700) {CHROME} Safari/537.36", "Tablet"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Safari/537.36", "Tablet"),
        (f"Mozilla/5.0 (Linux; Android 9; KFTRWI) {WEBKIT} Silk/134.1 like Chrome/134.0 Safari/537.36", "Tablet"),
        ("Mozilla/5.0 (Android 13; Tablet; rv:109.0) Gecko/115.0 Firefox/115.0", "Tablet"),
        ("[FBAN/FBIOS;FBAV/450.0.0.38;FBDV/iPad13,4;FBMD/iPad;FBSN/iOS;FBSV/17.4;FBID/tablet]", "Tablet"),
        ("[FBAN/FB4A;FBAV/400.0.0.1;FBDV/SM-X700;FBSV/14]", "Tablet"),
        # Mobile
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)", "Mobile"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {CHROME} Mobile Safari/537.36", "Mobile"),
        (f"Mozilla/5.0 (Linux; Android 12; SM-S908B) {CHROME} Mobile Safari/537.36 tv.twitch.android.app/14", "Mobile"),
        (f"Mozilla/5.0 (Linux; Android 11; CUBOT KING KONG 5) {CHROME} Mobile Safari/537.36", "Mobile"),
        ("Mozilla/5.0 (Android 13; Mobile; rv:109.0) Gecko/115.0 Firefox/115.0", "Mobile"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 NewsArticle/8.2.7.4", "Mobile"),
        ("Opera/9.80 (Android; Opera Mini/7.6.40234/37.7936; U; en) Presto/2.12.423 Version/12.16", "Mobile"),
        ("Dalvik/2.1.0 (Linux; U; Android 6.0.1; Nexus 6P Build/MMB29P)", "Mobile"),
        ("Mozilla/5.0 (Mobile; Nokia 8110 4G; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5", "Mobile"),
        ("Shop/3 CFNetwork/1410.0.3 Darwin/22.6.0", "Mobile"),
        ("[FBAN/FB4A;FBAV/400.0.0.1;FBDV/SM-S921B;FBSV/14]", "Mobile"),
        ("[FB_IAB/FB4A;FBAV/400.0.0.0.0;]", "Mobile"),
        ("[FBAN/FBIOS;FBAV/450.0.0.38;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.4;FBID/phone]", "Mobile"),
        ("Mozilla/5.0 [Pinterest/iOS]", "Mobile"),
        ("UCBrowser dv(iPh14,2);pr(UCBrowser/11.3.5.1203);ov(15_4);ss(375x812)", "Mobile"),
        (f"Mozilla/5.0 (Linux; Android 5.1; M BOT 551 Build/LMY47D) {CHROME} Mobile Safari/537.36", "Mobile"),
        # Desktop
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36", "Desktop"),
        ("Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Tablet PC 2.0; rv:11.0) like Gecko", "Desktop"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/17.4 Safari/605.1.15",
            "Desktop",
        ),
        (f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {CHROME} Safari/537.36", "Desktop"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0", "Desktop"),
        # Other
        ("Mozilla/5.0 (AmigaOS; U; AmigaOS 1.3; en-US; rv:1.8.1.21) Gecko/20090303 SeaMonkey/1.1.15", "Other"),
        ("", "Other"),
        (None, "Other"),
    ],
)
def test_device_type(user_agent: str | None, device_type: str) -> None:
    assert device_type_of(user_agent) == device_type


def test_huge_user_agent_is_classified_quickly_and_not_cached() -> None:
    endless = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {CHROME} Safari/537.36 " + "a " * 100_000
    assert device_type_of(endless) == "Desktop"
    assert device_type_of(endless + "bot/1.0") == "Desktop"  # the end is not looked at


@pytest.mark.skipif(not LABELLED.exists(), reason="../shared/data/user_agents_labelled.csv is not here")
def test_accuracy_on_labelled_user_agents() -> None:
    with LABELLED.open(newline="") as rows:
        confusion = Counter((row["deviceType"], device_type_of(row["userAgent"])) for row in csv.DictReader(rows))
    labels = sorted({label for label, _ in confusion})
    print("", "labelled".ljust(10) + "".join(name.rjust(9) for name in DEVICE_TYPES), sep="\n")  # noqa: T201 - pytest -s shows it
    for label in labels:
        print(label.ljust(10) + "".join(str(confusion[label, name]).rjust(9) for name in DEVICE_TYPES))  # noqa: T201
    humans = [label for label in labels if label != "bot"]
    human_total = sum(count for (label, _), count in confusion.items() if label != "bot")
    assert sum(confusion[label, label.capitalize()] for label in humans) >= 0.99 * human_total
    assert all(confusion[label, "Bot"] == 0 for label in humans)
    crawlers = sum(count for (label, _), count in confusion.items() if label == "bot")
    assert confusion["bot", "Bot"] >= 0.99 * crawlers
