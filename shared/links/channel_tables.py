"""What tells channels apart: hosts, apps, and the words that people write into `utm_medium` and `utm_source`.

Compiled from what search engines, networks and assistants send, along the lines of GA4's source categories
(https://support.google.com/analytics/answer/9756891). Text is compared in lower case; `name.*` is a domain in any
country.
"""

from collections.abc import Mapping
from typing import Final

DIRECT: Final = "Direct"
SEARCH: Final = "Organic search"
SOCIAL: Final = "Social"
EMAIL: Final = "Email"
AI: Final = "AI assistant"
REFERRAL: Final = "Referral"
PAID: Final = "Paid"
INTERNAL: Final = "Internal"
CHANNELS: Final = (DIRECT, SEARCH, SOCIAL, EMAIL, AI, REFERRAL, PAID, INTERNAL)


def _of(channel: str, words: str) -> dict[str, str]:
    return dict.fromkeys(words.split(), channel)


def _words(words: str) -> frozenset[str]:
    return frozenset(words.split())


HOSTS: Final[Mapping[str, str]] = {
    **_of(
        SEARCH,
        "google.* bing.com duckduckgo.com search.yahoo.com search.yahoo.co.jp yahoo.com yandex.* ya.ru ecosia.org "
        "qwant.com startpage.com search.brave.com baidu.com sogou.com so.com sm.cn search.naver.com m.search.naver.com "
        "search.daum.net search.seznam.cz search.aol.com ask.com kagi.com mojeek.com swisscows.com presearch.com "
        "petalsearch.com metager.org metager.de lycos.com go.mail.ru nova.rambler.ru coccoc.com search.goo.ne.jp "
        "lite.duckduckgo.com search.marginalia.nu search.lilo.org karmasearch.org dogpile.com",
    ),
    **_of(
        SOCIAL,
        "facebook.com fb.com fb.me messenger.com instagram.com threads.net threads.com twitter.com x.com t.co "
        "linkedin.com lnkd.in reddit.com redd.it pinterest.* pin.it tiktok.com youtube.com youtu.be snapchat.com "
        "tumblr.com quora.com vk.com vk.ru ok.ru weibo.com weibo.cn t.me telegram.org discord.com discordapp.com "
        "slack.com teams.microsoft.com statics.teams.cdn.office.net whatsapp.com wa.me news.ycombinator.com lobste.rs "
        "producthunt.com bsky.app mastodon.social mstdn.social mas.to fosstodon.org hachyderm.io vimeo.com twitch.tv "
        "dailymotion.com line.me xing.com nextdoor.com meetup.com steamcommunity.com disqus.com flipboard.com "
        "story.kakao.com douyin.com bilibili.com xiaohongshu.com zhihu.com",
    ),
    **_of(
        EMAIL,
        "outlook.live.com outlook.office.com outlook.office365.com outlook.com mail.com gmx.* fastmail.com hey.com "
        "deref-gmx.net deref-gmx.com deref-web.de deref-mail.com mailchi.mp list-manage.com protonmail.com",
    ),
    **_of(
        AI,
        "chatgpt.com chat.openai.com perplexity.ai claude.ai gemini.google.com bard.google.com notebooklm.google.com "
        "copilot.microsoft.com copilot.cloud.microsoft m365.cloud.microsoft edgeservices.bing.com deepseek.com "
        "grok.com x.ai chat.mistral.ai you.com phind.com poe.com meta.ai pi.ai kimi.com kimi.moonshot.cn doubao.com "
        "yiyan.baidu.com chat.baidu.com qwen.ai tongyi.aliyun.com yuanbao.tencent.com chatglm.cn z.ai iask.ai "
        "duck.ai lumo.proton.me komo.ai andisearch.com",
    ),
    **_of(PAID, "googleadservices.com doubleclick.net googlesyndication.com syndicatedsearch.goog"),
    **_of(
        REFERRAL,  # of hosts whose domain is listed above or that look like those of a mail program
        "accounts.google.com ads.google.com analytics.google.com calendar.google.com classroom.google.com "
        "cloud.google.com developers.google.com docs.google.com drive.google.com groups.google.com meet.google.com "
        "pay.google.com play.google.com sites.google.com support.google.com translate.google.com finance.yahoo.com "
        "news.yahoo.com sports.yahoo.com developers.facebook.com developer.x.com api.slack.com disk.yandex.ru "
        "maps.yandex.ru market.yandex.ru pan.baidu.com baike.baidu.com",
    ),
}
"""Domains with their subdomains: the longest that matches decides."""

MAIL_LABELS: Final = frozenset({"mail", "webmail", "email"})
"""A host that begins so, of three labels or more, belongs to a mail program."""

APPS: Final[Mapping[str, str]] = {
    **_of(SEARCH, "com.google.android.googlequicksearchbox com.google.android.apps.searchlite com.microsoft.bing"),
    **_of(
        SOCIAL,
        "com.facebook.katana com.facebook.lite com.facebook.orca com.instagram.android com.instagram.barcelona "
        "com.twitter.android com.linkedin.android com.reddit.frontpage com.pinterest com.zhiliaoapp.musically "
        "com.ss.android.ugc.trill com.snapchat.android com.whatsapp org.telegram.messenger org.telegram.messenger.web "
        "org.thunderdog.challegram com.slack com.discord com.microsoft.teams com.google.android.youtube "
        "xyz.blueskyweb.app org.joinmastodon.android com.vkontakte.android jp.naver.line.android com.tumblr "
        "com.quora.android",
    ),
    **_of(
        EMAIL,
        "com.google.android.gm com.google.android.gm.lite com.microsoft.office.outlook com.fsck.k9 "
        "com.yahoo.mobile.client.android.mail com.samsung.android.email.provider net.thunderbird.android "
        "ch.protonmail.android ru.mail.mailapp",
    ),
    **_of(
        AI,
        "com.openai.chatgpt com.anthropic.claude ai.perplexity.app.android com.google.android.apps.bard "
        "com.microsoft.copilot com.deepseek.chat ai.x.grok ai.mistral.chat",
    ),
}
"""Ids of Android's apps, which send `android-app://<id>/`."""

PAID_MEDIUMS: Final = _words(
    "cpc ppc cpm cpv cpa cpp cpl cpi cps display banner expandable interstitial retargeting remarketing "
    "programmatic nativead nativeads ad ads advert advertising adwords sponsored sponsorship contenttext"
)
"""Written with or without `-`, `_`, `.`, `+` and spaces, as all words below; so is what begins with `paid`."""

STRONG_MEDIUMS: Final[Mapping[str, str]] = {
    **_of(EMAIL, "email emailing mail newsletter edm"),
    **_of(SOCIAL, "social socialnetwork socialmedia socialorganic organicsocial sm"),
    **_of(AI, "ai aiassistant llm"),
}
"""These decide whatever the source."""

WEAK_MEDIUMS: Final[Mapping[str, str]] = {
    **_of(SEARCH, "organic organicsearch search seo"),
    **_of(REFERRAL, "referral referrer link app affiliate affiliates partner partners"),
}
"""These decide where the source is unknown: `utm_source=facebook&utm_medium=organic` is Social."""

EMAIL_PARTS: Final = ("newsletter", "email")
"""A medium or source that contains one is Email: `weekly-newsletter`."""

PAID_SOURCES: Final = _words(
    "adwords googleads bingads microsoftads fbads facebookads metaads instagramads igads linkedinads tiktokads "
    "twitterads xads redditads pinterestads snapchatads youtubeads ytads amazonads appleads applesearchads "
    "quoraads taboola outbrain criteo adroll doubleclick"
)

SOURCES: Final[Mapping[str, str]] = {
    **_of(SEARCH, "google bing yahoo duckduckgo yandex baidu ecosia qwant startpage brave naver kagi seznam"),
    **_of(
        SOCIAL,
        "facebook fb messenger instagram ig threads twitter x linkedin reddit pinterest tiktok youtube yt whatsapp "
        "telegram discord slack mastodon bluesky bsky snapchat vk vkontakte quora tumblr hackernews hn producthunt "
        "weibo wechat line xing vimeo twitch",
    ),
    **_of(EMAIL, "mail gmail outlook mailchimp klaviyo hubspot sendgrid brevo sendinblue mailerlite activecampaign"),
    **_of(AI, "chatgpt openai perplexity claude gemini copilot deepseek grok mistral"),
}
"""Names of sources; a source with a dot is a host, see HOSTS."""
