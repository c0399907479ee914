"""Text of a model as text that may be spoken and shown: nothing in it is an address, a call to anyone, or markup.

A picture or a title may hold instructions to the model («visit …», «say …»). The model has no tools, so all such an
instruction can change is text; and what passes here holds no link, e-mail, @handle, telephone number, tag or control
character, however it is written (full-width letters, «chấm com», zero-width characters between the letters).
"""

from __future__ import annotations

import html
import re
import unicodedata

from mangavid.writers.sentences import tidy

_TLDS = (
    "com|net|org|info|biz|vn|io|me|tv|cc|co|xyz|site|online|top|club|shop|store|app|dev|ai|gg|ly|to|link|live|pro|icu"
    "|vip|fun|space|website|example|invalid|test|onion|ru|cn|jp|kr|us|uk|de|fr|eu|asia|mobi|name|page|click|wiki"
)
#: Dots that are none, in addresses that are to be overlooked.
_DOTS = str.maketrans(dict.fromkeys("。｡․﹒．", "."))
_URL = re.compile(
    r"\b(?:[a-z][a-z0-9+.-]{1,12}\s?:\s?//|www\s?\.|(?:mailto|tel|data|javascript):)\s?\S*", re.IGNORECASE
)
_HANDLE = re.compile(r"(?<!\S)\S*@+\s?\S*")
#: «a.b.example/x»: an ending that is known, or small letters, with which no sentence begins. All repeats are possessive
#: or bounded, so that no text of a model can keep it busy.
_DOMAIN = re.compile(
    rf"(?<![\w-])(?:[\w-]++\.){{1,10}}(?:(?i:{_TLDS})|[a-z]{{2,24}})(?!\w)(?:[:/?#]\S*)?"
    r"|(?<![\w-])(?:[\w-]++\.){1,10}[A-Za-z]{2,24}[/?#]\S*"
    r"|(?<!\w)\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?:/\S*)?"
)
_DOT = r"(?:\s[\[({]?\.[\])}]?\s?|\s?[\[({]\s?(?:\.|dot|chấm)\s?[\])}]\s?|\s(?:dot|chấm)\s)"
_SPELT = re.compile(
    rf"(?<![\w-])[\w-]++(?:{_DOT}[\w-]++){{0,6}}?{_DOT}"
    r"(?i:com|net|org|info|vn|xyz|io|tv|site|online|top|app|club|example|test)(?!\w)(?:\s?[/?#]\S*)?"
)
_PHONE = re.compile(r"(?<![\w])(?:\+\s?\d(?:[\s().-]{0,2}\d){6,}|\(?\d(?:[\s().-]{0,2}\d){8,})")
_GROUPED = re.compile(r"[1-9]\d{0,2}(?:[.\s]\d{3})+")
_BREAK = re.compile(r"<\s?/?\s?(?:br|p|div|li|break)\b[^<>]{0,200}>", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_LINKED = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_LIST = re.compile(r"^\s*(?:#{1,6}|>+|[-*+•]|\d{1,2}[.)])\s+")
_MARKS = re.compile(r"/{2,}|[`*_~#|\\{}\[\]<>^=@$]+")
_GAP = re.compile(r"\s+([,.;:!?…])")


def safe(text: str) -> str:
    """One line, NFC; what is removed leaves a space. May be empty."""
    text = _plain_letters(tidy(text))
    # A removal can join what stood around it, so it is done until nothing changes; text only ever gets shorter.
    for _ in range(8):
        before = text
        text = _TAG.sub("", _BREAK.sub(" ", _unescaped(text)))
        text = _LINKED.sub(r" \1 ", text)
        for pattern in (_URL, _HANDLE, _SPELT, _DOMAIN):
            text = pattern.sub(" ", text)
        text = _PHONE.sub(lambda match: match[0] if _GROUPED.fullmatch(match[0].strip()) else " ", text)
        text = _MARKS.sub(" ", _LIST.sub("", text))
        text = _GAP.sub(r"\1", tidy(text)).strip(" ,;:")
        if text == before:
            break
    else:
        return ""  # whoever nests that deep has nothing to tell
    return text if any(char.isalnum() for char in text) else ""


def _unescaped(text: str) -> str:
    for _ in range(8):
        text, before = html.unescape(text), text
        if text == before:
            break
    return text


def _plain_letters(text: str) -> str:
    """Letters and signs that look like ASCII as ASCII; no pictures (nobody can speak them), no piled up marks."""
    chars: list[str] = []
    piled = 0
    for char in text.translate(_DOTS):
        category = unicodedata.category(char)
        piled = piled + 1 if category == "Mn" else 0
        if category in ("So", "Sk") or piled > 2:
            continue
        plain = unicodedata.normalize("NFKC", char)
        chars.append(plain if plain.isascii() and char not in "…½¼¾" else char)
    return "".join(chars)


def bounded(text: str, limit: int) -> str:
    """``safe``, at most so many characters, cut behind a word."""
    text = safe(text[: limit * 20])
    if len(text) <= limit:
        return text
    cut = text[:limit]
    return (cut[: cut.rindex(" ")] if " " in cut[limit // 2 :] else cut[: limit - 1]).rstrip(" ,;:–—-") + "…"


def words(text: str) -> int:
    return sum(any(char.isalnum() for char in word) for word in text.split())
