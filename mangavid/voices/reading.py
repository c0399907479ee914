"""What neural voices are given: the text as written, but spelled out where it could be read in two ways.

eSpeak NG gets plain syllables (``spoken``). A neural voice knows more by itself: how a foreign name sounds, what a
capital means. So ordinary words and names go to it as they are written. Numbers, dates, units, abbreviations, signs
and sounds go as the words that ``spoken`` says for them. The services read some of those too, but each in its own way,
changing without notice, and what they report for «30/4» or «3,5 km» is one word, or three, or none. Spelled out, a text
is read alike by every engine, every word that is sent is one that is heard, and an engine's report of it can be found
again. What is not said (URLs, emoji, foreign scripts, markup) is not sent; nor is a sign that means something to XML.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from mangavid.voices import align, romaji, tables
from mangavid.voices.spoken import NORMALISER_VERSION, Stop, Token, clean, to_spoken

#: Part of these voices' keys: raise it when any text may be sent differently than before.
RULES = f"n{NORMALISER_VERSION}r1"

_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


def tokens(text: str, language: str = "vi") -> tuple[Token, ...]:
    """As ``spoken.to_spoken``, with the words as they are to be sent. Reading rules are there for Vietnamese only: in
    another language the words are sent as they are written.
    """
    if language != "vi":
        return tuple(_as_written(word) for word in clean(text).split())
    return tuple(_natural(token) for token in to_spoken(text))


def _natural(token: Token) -> Token:
    core = _EDGES.sub("", token.display)
    if not token.spoken or not core.isalpha() or not _latin(core):
        return token
    low = core.lower()
    as_is = token.spoken == (low,)
    name = core[0].isupper() and low not in tables.ABBREVIATIONS and token.spoken == romaji.syllables(low)
    if not as_is and not name:
        return token
    # In capitals a word may be taken for initials.
    return Token(token.display, (low if core.isupper() and len(core) > 1 else core,), token.stop)


def _as_written(word: str) -> Token:
    core = re.sub(r"[<>&]", " ", _EDGES.sub("", word)).strip()
    sign = re.search(r"[.,!?;:…]\W*$", word)
    stop: Stop = ""
    if sign:
        found = sign[0][0]
        stop = "?" if found == "?" else "!" if found == "!" else "." if found in ".…" else ","
    spoken = tuple(core.split()) if any(char.isalnum() for char in core) else ()
    return Token(word, spoken, stop)


def _latin(word: str) -> bool:
    return all(unicodedata.name(char, "").startswith("LATIN") for char in word)


def find(said: align.Line, heard: Sequence[str]) -> tuple[list[int | None], float, int]:
    """Which of the words that were sent each of the words is that an engine reports, in order.

    Returns for each reported word the character it begins at in ``said.text`` (None: it is none of ours), the share of
    letters that were found again, and how many letters come after the last one found.

    Only letters and digits are compared. A report may cover several words, or a part of one, or be missing; one that
    is none of ours is passed over. How far ahead a word is looked for is bounded, else a wrong report that resembles a
    later word would swallow all between.
    """
    stream, owner = "", []
    for n, word in enumerate(said.spoken):
        letters = _letters(word)
        stream += letters
        owner += [n] * len(letters)
    cursor, found, slack = 0, 0, 0
    places: list[int | None] = []
    for word in heard:
        letters = _letters(word)
        at = stream.find(letters, cursor, cursor + len(letters) + 40 + slack) if letters else -1
        if at < 0:
            slack += len(letters)
            places.append(None)
            continue
        places.append(said.starts[owner[at]])
        cursor, found, slack = at + len(letters), found + len(letters), 0
    return places, found / len(stream) if stream else 0.0, len(stream) - cursor


def _letters(word: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFC", word[:1000]).casefold() if char.isalnum())
