"""Written Vietnamese to the words that are said, keeping which word of the caption each belongs to.

``to_spoken("Năm 2026…")`` gives one ``Token`` a displayed word; its ``spoken`` are plain Vietnamese syllables, and
foreign names in Latin letters, which engines pronounce by themselves (Japanese ones become syllables, see ``romaji``).
Nothing else reaches an engine: no digit, sign, control character, markup or foreign script. An engine then reports
exactly one event a spoken word, and captions get their times from those rather than from matching texts.

Readings where writing is ambiguous: a point groups thousands and a comma is decimal («1.000» is a thousand, «3,5» is
ba phẩy năm), except that «1,000,000» and «5,000» can only be English grouping, and a point with other than three
digits behind it is «chấm» («chương 12.5»); «1/2» is a fraction, «30/4» a date; «10-20» is a range, «2-1» a score.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal

import msgspec

from mangavid.voices import numerals, quantities, romaji, tables
from mangavid.voices.numerals import Words, cardinal

#: Part of every voice's key: raise it when any text may be read differently than before.
NORMALISER_VERSION = 1

Stop = Literal["", ",", ".", "!", "?"]


class Token(msgspec.Struct, frozen=True):
    """One displayed word, with its punctuation, and the words said for it (none for a dash, an emoji, a URL).

    ``stop`` is the pause and melody behind it, in the one sign that engines understand.
    """

    display: str
    spoken: Words
    stop: Stop = ""


def to_spoken(text: str) -> tuple[Token, ...]:
    """Tokens of a text, in order. Takes any string, never raises; texts without words give tokens without words."""
    tokens: list[Token] = []
    for paragraph in re.split(r"\n[^\S\n]*\n", clean(text)):
        found = _Paragraph(paragraph).tokens()
        if found and not found[-1].stop:
            found[-1] = Token(found[-1].display, found[-1].spoken, ".")
        tokens += found
    return tuple(tokens)


# --- cleaning -------------------------------------------------------------------------------------------------------

_MARKDOWN_LINE = re.compile(r"^[^\S\n]*(?:#{1,6}[^\S\n]+|>+[^\S\n]*|[*+-][^\S\n]+(?=\S)|[-*_]{3,}[^\S\n]*$)", re.M)
_MARKDOWN_LINK = re.compile(r"\[([^\][]{1,300})\]\([^()\s]{1,2000}\)")
_MARKDOWN_MARK = re.compile(r"\*+(?![0-9])|(?<![0-9])\*+|`+|~~+|(?<![^\W_])_+|_+(?![^\W_])")
_TAG = re.compile(r"</?[A-Za-z][^<>\n]{0,60}>")
#: Places where a word ends without a space: after a dash or dots, and after a comma between letters.
_GLUED = re.compile(r"(?<=[—―])(?=\S)|(?<=--)(?=[^\s-])|(?<=[…!?])(?=[^\W\d_])|(?<=\.\.)(?=[^\W\d_])")
_GLUED_COMMA = re.compile(r"(?<=[^\W\d_][,;])(?=[^\W\d_])")
_ADDRESS = re.compile(r"://|www\.|@")


def clean(text: str) -> str:
    """NFC, without markdown and HTML marks, control, zero-width, bidi and unassigned characters, lone surrogates."""
    kept = []
    for char in text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n"):
        if char.isspace():
            kept.append("\n" if char in "\n\r\v\f\x85" else " ")
        elif unicodedata.category(char)[0] != "C" and not "\ufe00" <= char <= "\ufe0f" and char < "\U000e0000":
            kept.append(char)
    text = unicodedata.normalize("NFC", "".join(kept))
    text = _MARKDOWN_LINK.sub(r"\1", _TAG.sub("", text))
    text = _MARKDOWN_MARK.sub("", _MARKDOWN_LINE.sub("", text))
    return re.sub(r"\S+", lambda word: word[0] if _ADDRESS.search(word[0]) else _unglued(word[0]), text)


def _unglued(word: str) -> str:
    return _GLUED_COMMA.sub(" ", _GLUED.sub(" ", word))


# --- letters --------------------------------------------------------------------------------------------------------

_TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
_VOWELS = frozenset(unicodedata.normalize("NFC", v + tone) for v in "aăâeêioôơuưy" for tone in _TONES)
ALPHABET = _VOWELS | frozenset("bcdđfghjklmnpqrstvwxz")
"""Every letter that can stand in a spoken word."""

_NO_BASE = {"ø": "o", "ß": "ss", "æ": "e", "œ": "e", "ł": "l", "ı": "i", "ð": "đ", "þ": "th"}
_RUN = re.compile(r"(.)\1{2,}")
_OPEN_SYLLABLES = re.compile(r"(?:[bcdghklmnprstvxyzj]{1,2}[aeiouy]){2,}")
_SYLLABLE = re.compile(
    r"(?:ngh(?=[eiy])|ng(?![eiy])|[cknpt]h|tr|gi|qu|gh(?=[eiy])|k(?=[eiy])|[cg](?![eiy])|[bdhlmnprstvx])?"
    r"[aeiouy]{1,3}(?:ng|nh|ch|[cmnpt])?"
)


def _letters(word: str) -> str:
    """Lower case, only letters of ALPHABET: others become their base letter, or go."""
    out = []
    for char in word.lower():
        if char in ALPHABET:
            out.append(char)
        elif char in _NO_BASE:
            out.append(_NO_BASE[char])
        else:
            base = unicodedata.normalize("NFD", char)[0]
            out.append(base if base in ALPHABET else "")
    return "".join(out)


def _say_letters(word: str) -> Words:
    return tuple(" ".join(tables.LETTERS.get(char, char) for char in word).split())


def _is_initials(word: str, shouting: bool) -> bool:
    """Capitals said letter by letter: FBI, CIA, HTTP; not NASA, BOM, ĐI, nor what could be a word in a shout."""
    if not word.isupper() or not word.isascii() or not 2 <= len(word) <= 6:
        return False
    low = word.lower()
    if not _VOWELS & set(low):
        return True
    return not shouting and len(word) <= 3 and not (_SYLLABLE.fullmatch(low) or _OPEN_SYLLABLES.fullmatch(low))


def _word(word: str, shouting: bool) -> Words:
    """What is said for a run of letters."""
    if not shouting and word in tables.INITIALS:
        return tuple(tables.INITIALS[word].split())
    low = _letters(word)
    if low in tables.ABBREVIATIONS:
        return tuple(tables.ABBREVIATIONS[low].split())
    sound = tables.SOUNDS.get(_RUN.sub(r"\1\1", low)) or tables.SOUNDS.get(low)
    if sound:
        return tuple(sound.split())
    if _is_initials(word, shouting) or (len(low) <= 4 and not _VOWELS & set(low)):
        return _say_letters(low)
    low = _RUN.sub(r"\1", low)
    if word[:1].isupper() and not _SYLLABLE.fullmatch(low) and (name := romaji.syllables(low)):
        return name
    return _say_letters(low) if len(low) == 1 else (low,) if low else ()


# --- words in their sentence ----------------------------------------------------------------------------------------

_OPENING = "([{«“‘\"'„‚「『【《¿¡"
_CLOSING = ".,;:!?…)]}»”’\"'」』】》‛‟、。！？"
_DASHES = "-–—―‐‑−"
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|@\w+|(?:[\w-]+\.)+(?:com|net|org|vn|io|me|gg|info|tv|co|xyz|to)(?:/\S*)?",
    re.IGNORECASE,
)
_PARTS = re.compile(rf"{quantities.NUMBER}|[^\W\d_]+|[^\w\s]")


class _Paragraph:
    """A run of words that share sentences: each is read knowing its neighbours."""

    def __init__(self, text: str) -> None:
        self.raw = text.split()
        self.cores: list[str] = []
        self.trails: list[str] = []
        for word in self.raw:
            core = word.lstrip(_OPENING)
            bare = core.rstrip(_CLOSING + _DASHES)
            self.cores.append(_plain(bare))
            self.trails.append(core[len(bare) :] if bare else word)
        letters = [core for core in self.cores if core.isalpha() and len(core) > 1]
        self.shouting = sum(core.isupper() for core in letters) * 2 > len(letters)
        self.after_number = False

    def tokens(self) -> list[Token]:
        found = []
        for i, display in enumerate(self.raw):
            spoken, is_number = self._say(i)
            found.append(Token(display, spoken, self._stop(i)))
            if spoken:
                self.after_number = is_number
        return found

    def _before(self, i: int) -> str:
        return self.cores[i - 1].lower() if i and not self.trails[i - 1] else ""

    def _say(self, i: int) -> tuple[Words, bool]:
        """The words of word i, and whether they end in a number."""
        core, before = self.cores[i], self._before(i)
        after = self.cores[i + 1] if i + 1 < len(self.cores) else ""
        if not core:
            spans = self.after_number and self.raw[i] in _DASHES and after[:1].isdigit()
            return (("đến",) if spans else ()), False
        if _LINK.fullmatch(core):
            return (), False
        if core[0] == "-" and (self.after_number or not core[1:2].isdigit()):
            core = core.lstrip("-")
        if (number := quantities.numeric(core, before)) is not None:
            return number, core[-1].isdigit()
        if self.after_number and core in tables.UNITS:
            return quantities.units(core), False
        if (said := self._roman(core, i, before)) is not None:
            return said, False
        if core.lower() in tables.ABBREVIATIONS:
            return tuple(tables.ABBREVIATIONS[core.lower()].split()), False
        if self._stutters(core, i, after):
            return (), False
        return self._parts(core, before), core[-1].isdigit()

    def _roman(self, core: str, i: int, before: str) -> Words | None:
        value = numerals.roman(core)
        if value is None:
            return None
        named = i > 0 and self.cores[i - 1][:1].isupper() and not self.shouting
        if before in tables.COUNTED:
            return numerals.ordinal(value) if before == "thứ" else cardinal(value)
        return cardinal(value) if named and len(core) > 1 and set(core) <= set("IVX") else None

    def _stutters(self, core: str, i: int, after: str) -> bool:
        """«T... tôi»: the first letter is drawn out, not said by its name."""
        drawn = "…" in self.trails[i] or ".." in self.trails[i]
        return drawn and len(core) <= 2 and core.isalpha() and after.lower().startswith(core.lower()) and core != after

    def _parts(self, core: str, before: str) -> Words:
        """A word of mixed letters, digits and signs, part by part."""
        pieces = core.split("-")
        while len(pieces) > 1 and len(pieces[0]) <= 2 and pieces[-1].lower().startswith(pieces[0].lower()):
            pieces = pieces[1:]
        said: list[str] = []
        for part in _PARTS.findall("-".join(pieces).replace("'", "").replace("’", "")):
            if part[0] in "0123456789":
                said += quantities.number(part, before)
            elif part[0].isalpha():
                said += _word(part, self.shouting)
            else:
                said += tables.SIGNS.get(part, "").split()
        return tuple(said)

    def _stop(self, i: int) -> Stop:
        trail = self.trails[i]
        after = self.raw[i + 1] if i + 1 < len(self.raw) else ""
        opens = after.lstrip(_OPENING + _DASHES)
        new_sentence = not opens or opens[0].isupper()
        if "?" in trail or "？" in trail:
            return "?"
        if "!" in trail or "！" in trail:
            return "!"
        if "…" in trail or ".." in trail:
            return "." if new_sentence else ","
        if "." in trail or "。" in trail:
            shortened = self.cores[i].lower() in tables.ABBREVIATIONS and bool(after)
            return ("," if self.cores[i].lower() == "v.v" else "") if shortened else "."
        if trail and (set(trail) & set(",;:、)]}–—―") or not trail.strip(_DASHES)):
            return ","
        return "," if after[:1] in ("(", "[") and self.cores[i] else ""


_PLAIN_SIGNS = str.maketrans({"−": "-", "‐": "-", "‑": "-", "⁄": "/"} | {0xFF01 + i: 0x21 + i for i in range(94)})


def _plain(core: str) -> str:
    """Full-width signs and digits of every script as ASCII ones, without marks that belong to no letter."""
    core = core.translate(_PLAIN_SIGNS)
    if core.isascii():
        return core
    kept = (char for char in core if unicodedata.category(char)[0] != "M")
    return "".join(str(unicodedata.decimal(char)) if char.isdecimal() else char for char in kept)


def speakable(tokens: Sequence[Token]) -> bool:
    """Whether anything would be heard."""
    return any(token.spoken for token in tokens)
