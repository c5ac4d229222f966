"""Browsers and operating systems by the names that events carry: closed lists, so that no producer can add a name.

The names are the families of ua-parser, except that its "Mac OS X" is macOS and all distributions of Linux are Linux.
Of the programs that are no browsers only those are listed that many sites see: they are what the audience of bots uses.
"""

from typing import Final

OTHER: Final = "Other"
"""What is absent, unknown or not listed."""

_BROWSERS: Final = (
    "Chrome", "Chrome Mobile", "Chrome Mobile iOS", "Chrome Mobile WebView", "Chromium", "Safari", "Mobile Safari",
    "Mobile Safari UI/WKWebView", "Edge", "Edge Mobile", "Firefox", "Firefox Mobile", "Firefox iOS",
    "Samsung Internet", "Opera", "Opera GX", "Opera Mini", "Opera Mobile", "Opera Touch", "Brave", "Vivaldi",
    "DuckDuckGo", "DuckDuckGo Mobile", "Ecosia Android", "Ecosia iOS", "Yandex Browser", "UC Browser", "QQ Browser",
    "QQ Browser Mobile", "Sogou Explorer", "Baidu Browser", "360 Secure Browser", "Quark", "MiuiBrowser",
    "Huawei Browser", "Honor Browser", "HeyTap Browser", "Whale", "Coc Coc", "Maxthon", "Amazon Silk",
    "Avast Secure Browser", "Oculus Browser", "Tizen Browser", "Electron", "Android", "IE", "IE Mobile",
    # Browsers within apps
    "Google", "Facebook", "Facebook Messenger", "Instagram", "TikTok", "Pinterest", "Snapchat", "Twitter", "LinkedIn",
    "WhatsApp", "Telegram", "LINE", "KakaoTalk", "WeChat Browser", "Weibo", "Apple Mail", "Outlook", "Thunderbird",
)  # fmt: skip

PROGRAMS: Final = (
    "Googlebot", "Googlebot-Image", "AdsBot-Google", "Mediapartners-Google", "Storebot", "bingbot", "BingPreview",
    "YandexBot", "Baiduspider", "DuckDuckBot", "Applebot", "PetalBot", "SeznamBot", "Qwantbot",
    "Sogou web spider", "Yahoo! Slurp", "GPTBot", "ChatGPT-User", "OAI-SearchBot", "ClaudeBot", "Claude-User",
    "PerplexityBot", "Amazonbot", "Bytespider", "CCBot", "AzureAI-SearchBot", "FacebookBot", "Twitterbot",
    "LinkedInBot", "Pinterestbot", "Slackbot-LinkExpanding", "Discordbot", "TelegramBot", "AhrefsBot", "SemrushBot",
    "MJ12bot", "DotBot", "rogerbot", "DataForSeoBot", "PingdomBot", "UptimeRobot", "StatusCakeBot", "Taboolabot",
    "HeadlessChrome", "curl", "Wget", "Python Requests", "Python aiohttp", "Python-urllib", "Go-http-client",
    "Apache-HttpClient", "okhttp", "axios", "libwww-perl", "Java",
)  # fmt: skip
"""Crawlers and other programs."""

BROWSERS: Final = (OTHER, *_BROWSERS, *PROGRAMS)

OPERATING_SYSTEMS: Final = (
    OTHER,
    "Windows", "macOS", "iOS", "Android", "Linux", "Chrome OS", "FreeBSD", "OpenBSD", "NetBSD", "Solaris", "KaiOS",
    "HarmonyOS", "Windows Phone", "BlackBerry OS", "Symbian OS", "Firefox OS", "watchOS", "tvOS", "webOS", "Tizen",
    "Chromecast", "Roku",
)  # fmt: skip
