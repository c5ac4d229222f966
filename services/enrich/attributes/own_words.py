"""What a user agent says of the program itself: without the phone's model and what was appended to a browser. Pure.

Makers call phones "M BOT 551", "Discovery" or "Google TV". Extensions and shops append a page's address to the user
agent of a browser. Neither says that a program is at work.
"""

import re
from typing import Final

# The place of the model: after Android's version and language, up to the build. Chrome writes "K" for all models. A
# version, an address or an e-mail address there is not a model's.
_NAME: Final = r"(?:(?!Build/|\+\w)[^;()/@])+"
_MODEL: Final = re.compile(
    r"(\b(?:Android|Adr|HarmonyOS)\b[ /-]?[\d.]*(?:; ?[a-z]{2}(?:[-_][A-Za-z]{2,4})?(?=;))?; ?)"
    rf"{_NAME}(?:\({_NAME}\)(?:{_NAME})?)*(?:Build/[^;()]*)?(?=[;)])"
)
_WINDOWS_PHONE_MODEL: Final = re.compile(r"(\bIEMobile/[\d.]+; )[^()/@+]+(?=\))")
_FACEBOOK_FIELD: Final = re.compile(r"\bFB[A-Z]{2}/[^;\]]*")  # the device, its carrier and language, and the app
_APP_ID: Final = re.compile(r"\b(?:com|net|org)(?:\.\w+)+|\bgoogle ?tv\b", re.IGNORECASE)  # or the television's system

_BROWSER: Final = re.compile(
    r"\"?Mozilla/5\.0 \(.*"
    r"(?:like Gecko|\b(?:Chrome|Safari|Firefox|Edge?|EdgA|EdgiOS|OPR|Version|Mobile|\w*Browser)/[\w.]+)",
    re.IGNORECASE,
)
# Crawlers introduce themselves in brackets or with a plus, or by an address that ends in what they are.
_ADDRESS: Final = (
    r"(?:https?://|www\.)(?![^\s?]*(?:bots?|crawl\w*|spider\w*|monitor\w*)(?:\.\w+)?/?[\]}>\"']*(?:[\s,;|]|$))[^\s()]+"
)
_FIELD: Final = rf"[\"']?[\w-]+[\"']? ?[:=] ?[\"']?(?:{_ADDRESS}|[\w.:-]+[\"']?)"
_CAUSE: Final = r"\(?(?:initiator|origin|referr?er|source)[ /:=]+(?:https?://|www\.)[^\s()]+\)?"  # of any page
_APPENDED: Final = re.compile(
    r"(?: \(Edition [\w -]+\))?[ ,;|\[{<-]+"
    rf"(?:{_ADDRESS}(?: {_ADDRESS})*|(?>{_CAUSE}|{_FIELD})(?:[ ,;|]+(?>{_CAUSE}|{_FIELD}))*+|\(\))[ \]}}>\"]*",
    re.IGNORECASE,
)


def own_words(user_agent: str) -> str:
    """The user agent without models, names of app packages, and what is appended to a whole browser.

    Appended are an address, labelled values or empty brackets.
    """
    words = _MODEL.sub(r"\1K", user_agent)
    words = _WINDOWS_PHONE_MODEL.sub(r"\1K", words)
    words = _APP_ID.sub("", _FACEBOOK_FIELD.sub("", words))
    browser = _BROWSER.match(words)
    if browser is not None and _APPENDED.fullmatch(words, browser.end()) is not None:
        return browser.group()
    return words
