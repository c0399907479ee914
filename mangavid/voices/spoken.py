"""Written Vietnamese to the words that are said, keeping which word of the caption each belongs to.

``to_spoken("Năm 2026…")`` gives one ``Token`` a displayed word; its ``spoken`` are plain Vietnamese syllables (and
foreign names in Latin letters, which engines pronounce by themselves). Nothing else reaches an engine: no digit, sign,
control character, markup or foreign script. An engine then reports exactly one event a spoken word, and captions get
their times from those rather than from matching texts.

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

from mangavid.voices import numerals, tables
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
    return _GLUED_COMMA.sub(" ", _GLUED.sub(" ", text))


# --- letters --------------------------------------------------------------------------------------------------------

_TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
_VOWELS = frozenset(unicodedata.normalize("NFC", v + tone) for v in "aăâeêioôơuưy" for tone in _TONES)
ALPHABET = _VOWELS | frozenset("bcdđfghjklmnpqrstvwxz")
"""Every letter that can stand in a spoken word."""

_NO_BASE = {"ø": "o", "ß": "ss", "æ": "e", "œ": "e", "ł": "l", "ı": "i", "ð": "đ", "þ": "th"}
_RUN = re.compile(r"(.)\1{2,}")
_OPEN_SYLLABLES = re.compile(r"(?:[bcdghklmnprstvxyzj]{1,2}[aeiouy]){2,}")
_SYLLABLE = re.compile(r"(?:ngh?|[cgknpt]h|tr|gi|qu|[bcdghklmnprstvx])?[aeiouy]{1,3}(?:ng|nh|ch|[cmnpt])?")


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
    """Capitals said letter by letter: FBI, VTV, USA; but not NASA, BOM, ĐI, nor anything pronounceable in a shout."""
    if not word.isupper() or not word.isascii() or not 2 <= len(word) <= 6:
        return False
    low = word.lower()
    if not any(char in "aeiouy" for char in low):
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
    if _is_initials(word, shouting):
        return _say_letters(low)
    low = _RUN.sub(r"\1", low)
    return _say_letters(low) if len(low) == 1 else (low,) if low else ()


# --- numbers --------------------------------------------------------------------------------------------------------

_BY_POINTS = r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?![0-9])(?:,[0-9]+)?"
_BY_COMMAS = r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){2,}|,000)(?![0-9])(?:\.[0-9]+)?"
_PLAIN = r"[0-9]+(?:[.,][0-9]+)?"
_NUMBER = f"(?:{_BY_POINTS}|{_BY_COMMAS}|{_PLAIN})"
_UNIT = "(?:" + "|".join(re.escape(unit) for unit in sorted(tables.UNITS, key=len, reverse=True)) + ")"
_MONEY = "(?:" + "|".join(re.escape(sign) for sign in sorted(tables.CURRENCIES, key=len, reverse=True)) + ")"

_QUANTITY = re.compile(f"([+~≈-]?)({_MONEY})?({_NUMBER})({_UNIT}(?:/{_UNIT})?)?")
_RANGE = re.compile(f"({_MONEY}?{_NUMBER}{_UNIT}?)[-–]({_MONEY}?{_NUMBER}{_UNIT}?)")
_DATE = re.compile(r"([0-9]{1,2})([/.-])([0-9]{1,2})\2([0-9]{4})")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MONTH = re.compile(r"([0-9]{1,2})/([0-9]{4})")
_SLASH = re.compile(r"([0-9]{1,6})[/⁄]([0-9]{1,6})")
_TIME = re.compile(r"([0-9]{1,2})(?:[hg:]([0-5][0-9])(?::([0-5][0-9]))?(?:['’p]|ph)?)")
_PHONE = re.compile(r"\+?[0-9]{2,4}(?:[.-][0-9]{2,4}){2,3}")
_MIXED = re.compile(r"([0-9]{1,6})?([¼-¾⅐-⅞])")
_DOTTED = re.compile(r"[0-9]+(?:\.[0-9]+){2,}")
_TIMES = re.compile(r"([0-9]{1,9})?[x×*]([0-9]{1,9})?")
_PLACE = re.compile(r"([QqPp])\.([0-9]{1,2})")
_PLACES = {"q": "quận", "p": "phường"}
_NUMBERED = re.compile(r"#([0-9]{1,6})")
_LONGEST_READ = 12


def _integer(text: str, before: str) -> Words:
    """A run of digits: a number, or digit by digit where it is a code (leading zero, or very long)."""
    if before in ("ngày", "tháng", "mùng", "mồng") and len(text) == 2:
        text = text.lstrip("0") or text
    if len(text) > _LONGEST_READ or (len(text) > 1 and text[0] == "0"):
        return numerals.digits(text)
    if before in ("thứ", "hạng"):
        return numerals.ordinal(int(text))
    return ("tư",) if before == "tháng" and text == "4" else cardinal(int(text))


def _number(text: str, before: str = "") -> Words:
    """A number with or without groups and decimals."""
    if re.fullmatch(_BY_POINTS, text):
        whole, _, rest = text.partition(",")
        return _grouped(whole.replace(".", ""), "phẩy", rest)
    if re.fullmatch(_BY_COMMAS, text):
        whole, _, rest = text.partition(".")
        return _grouped(whole.replace(",", ""), "phẩy", rest)
    sign = "phẩy" if "," in text else "chấm"
    whole, _, rest = text.replace(",", ".").partition(".")
    return (*_integer(whole, before), *((sign, *numerals.decimals(rest)) if rest else ()))


def _grouped(whole: str, sign: str, rest: str) -> Words:
    said = cardinal(int(whole)) if len(whole) <= 2 * _LONGEST_READ else numerals.digits(whole)
    return (*said, *((sign, *numerals.decimals(rest)) if rest else ()))


def _units(text: str) -> Words:
    """«km/h» as one unit, «đ/kg» as two."""
    if text in tables.UNITS:
        return tuple(tables.UNITS[text].split())
    return tuple(" trên ".join(tables.UNITS[part] for part in text.split("/")).split())


def _quantity(core: str, before: str) -> Words | None:
    """«50.000đ», «$20», «-5°C», «100k», «12.5»."""
    match = _QUANTITY.fullmatch(core)
    if not match:
        return None
    sign, money, number, unit = match.groups()
    signs = {"-": ("âm",), "+": ("cộng",), "~": ("khoảng",), "≈": ("khoảng",)}
    return (
        *signs.get(sign, ()),
        *_number(number, before),
        *(_units(unit) if unit else ()),
        *(tables.CURRENCIES[money].split() if money else ()),
    )


def _date(day: int, month: int, year: int, before: str) -> Words | None:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return None
    said = () if before in tables.DAY_WORDS else ("ngày",)
    return (*said, *cardinal(day), "tháng", *_integer(str(month), "tháng"), *(("năm", *cardinal(year)) if year else ()))


def _slash(first: int, second: int, before: str) -> Words:
    """«1/2» a fraction, «30/4» (or «hôm 2/9») a date, «24/7» neither."""
    dated = before in tables.DAY_WORDS or before in tables.TIME_WORDS
    if dated or (first >= second and (first, second) != (24, 7)):
        date = _date(first, second, 0, before)
        if date:
            return date
    return (*cardinal(first), *(("phần",) if first < second else ("trên",)), *cardinal(second))


def _time(core: str) -> Words | None:
    match = _TIME.fullmatch(core)
    if not match or int(match[1]) > 24:
        return None
    hours, minutes, seconds = (int(part) if part else 0 for part in match.groups())
    return (
        *cardinal(hours),
        "giờ",
        *((*cardinal(minutes), "phút") if minutes or seconds else ()),
        *((*cardinal(seconds), "giây") if seconds else ()),
    )


def _span(core: str, before: str) -> Words | None:
    """«10-20», «5-7km», «8h-10h»; None for scores like «2-1», where nothing is said between."""
    match = _RANGE.fullmatch(core)
    if not match:
        return None
    first, second = (_QUANTITY.fullmatch(part) for part in match.groups())
    if not first or not second or _value(first[3]) >= _value(second[3]):
        return None
    return (*(_quantity(match[1], before) or ()), "đến", *(_quantity(match[2], "") or ()))


def _value(number: str) -> float:
    if re.fullmatch(_BY_POINTS, number):
        return float(number.replace(".", "").replace(",", "."))
    if re.fullmatch(_BY_COMMAS, number):
        return float(number.replace(",", ""))
    return float(number.replace(",", "."))


def _numeric(core: str, before: str) -> Words | None:
    """What is said for a word that is a number as a whole; None for anything else."""
    if match := _DATE.fullmatch(core):
        date = _date(int(match[1]), int(match[3]), int(match[4]), before)
        if date:
            return date
    if (match := _ISO_DATE.fullmatch(core)) and (date := _date(int(match[3]), int(match[2]), int(match[1]), before)):
        return date
    if (match := _MONTH.fullmatch(core)) and 1 <= int(match[1]) <= 12:
        said = () if before == "tháng" else ("tháng",)
        return (*said, *_integer(match[1].lstrip("0"), "tháng"), "năm", *cardinal(int(match[2])))
    if match := _SLASH.fullmatch(core):
        return _slash(int(match[1]), int(match[2]), before)
    if _PHONE.fullmatch(core) and core.startswith(("0", "+")):
        return numerals.digits(re.sub(r"\D", "", core))
    if match := _MIXED.fullmatch(core):
        first, second = unicodedata.normalize("NFKC", match[2]).split("⁄")
        whole = (*cardinal(int(match[1])), "và") if match[1] else ()
        return (*whole, *cardinal(int(first)), "phần", *cardinal(int(second or 1)))
    if _DOTTED.fullmatch(core) and not _QUANTITY.fullmatch(core):
        return tuple(" chấm ".join(" ".join(_integer(part, "")) for part in core.split(".")).split())
    if (match := _TIMES.fullmatch(core)) and (match[1] or match[2]):
        if not match[2]:
            return (*cardinal(int(match[1])), "lần")
        return (*(cardinal(int(match[1])) if match[1] else ()), "nhân", *cardinal(int(match[2])))
    if match := _PLACE.fullmatch(core):
        return (_PLACES[match[1].lower()], *cardinal(int(match[2])))
    if match := _NUMBERED.fullmatch(core):
        return ("số", *cardinal(int(match[1])))
    return _time(core) or _span(core, before) or _quantity(core, before)


# --- words in their sentence ----------------------------------------------------------------------------------------

_OPENING = "([{«“‘\"'„‚「『【《¿¡"
_CLOSING = ".,;:!?…)]}»”’\"'」』】》‛‟、。！？"
_DASHES = "-–—―‐‑−"
_LINK = re.compile(
    r"(?:https?://|www\.)\S+|\S+@\S+\.\w+|@\w+|(?:[\w-]+\.)+(?:com|net|org|vn|io|me|gg|info|tv|co|xyz|to)(?:/\S*)?",
    re.IGNORECASE,
)
_PARTS = re.compile(rf"{_NUMBER}|[^\W\d_]+|[^\w\s]")


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
        if (number := _numeric(core, before)) is not None:
            return number, core[-1].isdigit()
        if self.after_number and core in tables.UNITS:
            return _units(core), False
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
                said += _number(part, before)
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


_ASCII_DIGITS_AND_SIGNS = str.maketrans(
    {"−": "-", "‐": "-", "‑": "-", "⁄": "/"} | {0xFF01 + i: 0x21 + i for i in range(94)}
)


def _plain(core: str) -> str:
    """Full-width signs and digits of every script as ASCII ones."""
    core = core.translate(_ASCII_DIGITS_AND_SIGNS)
    if core.isascii():
        return core
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() and not c.isascii() else c for c in core)


def speakable(tokens: Sequence[Token]) -> bool:
    """Whether anything would be heard."""
    return any(token.spoken for token in tokens)
