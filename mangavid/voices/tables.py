"""What is said for abbreviations, letters, units and signs. Data only; ``spoken`` applies it."""

from __future__ import annotations

#: Written with or without their full stop; compared in lower case, so only what is no Vietnamese word itself.
ABBREVIATIONS = {
    "tp.hcm": "thành phố Hồ Chí Minh",
    "tphcm": "thành phố Hồ Chí Minh",
    "hcm": "Hồ Chí Minh",
    "tp": "thành phố",
    "v.v": "vân vân",
    "vv": "vân vân",
    "gs": "giáo sư",
    "pgs": "phó giáo sư",
    "ts": "tiến sĩ",
    "ths": "thạc sĩ",
    "bs": "bác sĩ",
    "ks": "kỹ sư",
    "gs.ts": "giáo sư tiến sĩ",
    "pgs.ts": "phó giáo sư tiến sĩ",
    "ubnd": "ủy ban nhân dân",
    "nxb": "nhà xuất bản",
    "thpt": "trung học phổ thông",
    "thcs": "trung học cơ sở",
    "clb": "câu lạc bộ",
    "đh": "đại học",
    "vn": "Việt Nam",
    "tr.cn": "trước công nguyên",
    "tcn": "trước công nguyên",
    "scn": "sau công nguyên",
    "vs": "đấu với",
    "ok": "ô kê",
    "mr": "mít tơ",
    "mrs": "mít xịt",
    "dr": "đốc tơ",
    "nv": "nhân vật",
    "tg": "tác giả",
    "ko": "không",
    "ntn": "như thế nào",
}

#: Only where they are written in capitals.
INITIALS = {"AI": "ây ai", "EU": "e u", "ID": "ai đi", "IQ": "ai kiu", "TV": "ti vi", "PC": "pi xi", "UN": "u en nờ"}

#: Sounds of the comics; compared in lower case after repeated letters are folded into two.
SOUNDS = {
    "hm": "hừm",
    "hmm": "hừm",
    "grr": "gừ",
    "shh": "suỵt",
    "sh": "suỵt",
    "psst": "suỵt",
    "tsk": "chậc",
    "zz": "khò khò",
    "brr": "brừ",
    "pff": "phì",
    "ugh": "ực",
}

LETTERS = {
    "a": "a", "b": "bê", "c": "xê", "d": "dê", "đ": "đê", "e": "e", "f": "ép", "g": "giê", "h": "hát", "i": "i",
    "j": "gi", "k": "ca", "l": "lờ", "m": "mờ", "n": "nờ", "o": "o", "p": "pê", "q": "quy", "r": "rờ", "s": "ét",
    "t": "tê", "u": "u", "v": "vê", "w": "vê kép", "x": "ích", "y": "i", "z": "dét",
}  # fmt: skip

#: Behind a number, exactly as written.
UNITS = {
    "km": "ki lô mét",
    "m": "mét",
    "dm": "đề xi mét",
    "cm": "xen ti mét",
    "mm": "mi li mét",
    "km²": "ki lô mét vuông",
    "km2": "ki lô mét vuông",
    "m²": "mét vuông",
    "m2": "mét vuông",
    "cm²": "xen ti mét vuông",
    "cm2": "xen ti mét vuông",
    "m³": "mét khối",
    "m3": "mét khối",
    "ha": "héc ta",
    "kg": "ki lô gam",
    "g": "gam",
    "mg": "mi li gam",
    "l": "lít",
    "ml": "mi li lít",
    "km/h": "ki lô mét trên giờ",
    "m/s": "mét trên giây",
    "°": "độ",
    "°C": "độ xê",
    "℃": "độ xê",
    "°F": "độ ép",
    "h": "giờ",
    "s": "giây",
    "ms": "mi li giây",
    "W": "oát",
    "kW": "ki lô oát",
    "V": "vôn",
    "Hz": "héc",
    "KB": "ki lô bai",
    "MB": "mê ga bai",
    "GB": "ghi ga bai",
    "TB": "tê ra bai",
    "%": "phần trăm",
    "‰": "phần nghìn",
    "k": "nghìn",
    "K": "nghìn",
    "tr": "triệu",
    "tỷ": "tỷ",
    "tỉ": "tỷ",
    "đ": "đồng",
    "₫": "đồng",
    "vnd": "đồng",
    "VND": "đồng",
    "VNĐ": "đồng",
    "$": "đô la",
    "USD": "đô la Mỹ",
    "€": "ơ rô",
    "EUR": "ơ rô",
    "£": "bảng Anh",
    "¥": "yên",
    "₩": "uôn",
    "st": "",
    "nd": "",
    "rd": "",
    "th": "",
}

#: Before a number.
CURRENCIES = {"$": "đô la", "US$": "đô la Mỹ", "€": "ơ rô", "£": "bảng Anh", "¥": "yên", "₫": "đồng", "₩": "uôn"}

SIGNS = {
    "&": "và",
    "+": "cộng",
    "=": "bằng",
    "@": "a còng",
    "%": "phần trăm",
    "‰": "phần nghìn",
    "×": "nhân",
    "÷": "chia",
    "±": "cộng trừ",
    "≈": "xấp xỉ",
    "≠": "khác",
    "<": "nhỏ hơn",
    ">": "lớn hơn",
    "≤": "nhỏ hơn hoặc bằng",
    "≥": "lớn hơn hoặc bằng",
    "°": "độ",
    "→": "đến",
    "$": "đô la",
    "€": "ơ rô",
    "£": "bảng Anh",
    "¥": "yên",
    "₫": "đồng",
}

#: Before these a Roman numeral is a number («thế kỷ XX»).
COUNTED = frozenset(
    (
        *("kỷ", "kỉ", "thứ", "chương", "phần", "tập", "quyển", "hồi", "kỳ", "kì", "đời", "khóa", "khoá", "lớp"),
        *("cấp", "hạng", "màn", "mục", "điều", "số", "tầng", "arc", "chapter"),
    )
)

#: Before these, d/m is a date and the word «ngày» is not said again.
DAY_WORDS = frozenset(("ngày", "mùng", "mồng"))
#: Before these, d/m is a date («hôm 2/9», «thứ hai 3/8»).
TIME_WORDS = frozenset(
    (
        *("sáng", "trưa", "chiều", "tối", "đêm", "khuya", "hôm", "qua", "nay", "mai"),
        *("hai", "ba", "tư", "năm", "sáu", "bảy", "nhật"),
    )
)
