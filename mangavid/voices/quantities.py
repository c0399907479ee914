"""Numbers as they are written (decimals, dates, times, ranges, money, units) to the words that are said."""

from __future__ import annotations

import re
import unicodedata

from mangavid.voices import numerals, tables
from mangavid.voices.numerals import Words, cardinal

_BY_POINTS = r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?![0-9])(?:,[0-9]+)?"
_BY_COMMAS = r"[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){2,}|,000)(?![0-9])(?:\.[0-9]+)?"
_PLAIN = r"[0-9]+(?:[.,][0-9]+)?"
NUMBER = f"(?:{_BY_POINTS}|{_BY_COMMAS}|{_PLAIN})"
_UNIT = "(?:" + "|".join(re.escape(unit) for unit in sorted(tables.UNITS, key=len, reverse=True)) + ")"
_MONEY = "(?:" + "|".join(re.escape(sign) for sign in sorted(tables.CURRENCIES, key=len, reverse=True)) + ")"

_QUANTITY = re.compile(f"([+~≈-]?)({_MONEY})?({NUMBER})({_UNIT}(?:/{_UNIT})?)?")
_RANGE = re.compile(f"({_MONEY}?{NUMBER}{_UNIT}?)[-–]({_MONEY}?{NUMBER}{_UNIT}?)")
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


def number(text: str, before: str = "") -> Words:
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


def units(text: str) -> Words:
    """«km/h» as one unit, «đ/kg» as two."""
    if text in tables.UNITS:
        return tuple(tables.UNITS[text].split())
    return tuple(" trên ".join(tables.UNITS[part] for part in text.split("/")).split())


def _quantity(core: str, before: str) -> Words | None:
    """«50.000đ», «$20», «-5°C», «100k», «12.5»."""
    match = _QUANTITY.fullmatch(core)
    if not match:
        return None
    sign, money, amount, unit = match.groups()
    signs = {"-": ("âm",), "+": ("cộng",), "~": ("khoảng",), "≈": ("khoảng",)}
    return (
        *signs.get(sign, ()),
        *number(amount, before),
        *(units(unit) if unit else ()),
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


def _value(written: str) -> float:
    if re.fullmatch(_BY_POINTS, written):
        return float(written.replace(".", "").replace(",", "."))
    if re.fullmatch(_BY_COMMAS, written):
        return float(written.replace(",", ""))
    return float(written.replace(",", "."))


def numeric(core: str, before: str) -> Words | None:
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
