from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mangavid.voices import align
from mangavid.voices.spoken import ALPHABET, Token, clean, speakable, to_spoken


def said(text: str) -> str:
    return " ".join(word for token in to_spoken(text) for word in token.spoken)


def shown(text: str) -> list[str]:
    return [token.display for token in to_spoken(text)]


READINGS = {
    "integers and years": [
        ("Năm 2026", "năm hai nghìn không trăm hai mươi sáu"),
        ("25 tuổi", "hai mươi lăm tuổi"),
        ("0 điểm", "không điểm"),
        ("-5 độ", "âm năm độ"),
        ("007", "không không bảy"),
        ("２０２６", "hai nghìn không trăm hai mươi sáu"),
    ],
    "groups and decimals": [
        ("1.000", "một nghìn"),
        ("1.000.000", "một triệu"),
        ("1.234.567,89", "một triệu hai trăm ba mươi tư nghìn năm trăm sáu mươi bảy phẩy tám mươi chín"),
        ("1,000,000", "một triệu"),
        ("5,000", "năm nghìn"),
        ("3,5", "ba phẩy năm"),
        ("0,25", "không phẩy hai mươi lăm"),
        ("3,05", "ba phẩy không năm"),
        ("3,141", "ba phẩy một bốn một"),
        ("chương 12.5", "chương mười hai chấm năm"),
        ("bản 1.2.3", "bản một chấm hai chấm ba"),
        ("0.500", "không chấm năm không không"),
    ],
    "ordinals": [
        ("lần thứ 1", "lần thứ nhất"),
        ("thứ 2", "thứ hai"),
        ("thứ 4", "thứ tư"),
        ("hạng 1", "hạng nhất"),
        ("tháng 4", "tháng tư"),
        ("tháng 05", "tháng năm"),
        ("#1", "số một"),
    ],
    "fractions": [
        ("1/2", "một phần hai"),
        ("3/4", "ba phần bốn"),
        ("½ cốc", "một phần hai cốc"),
        ("2½", "hai và một phần hai"),
        ("24/7", "hai mươi tư trên bảy"),
        ("3/0", "ba trên không"),
    ],
    "ranges and scores": [
        ("10-20 người", "mười đến hai mươi người"),
        ("10–20", "mười đến hai mươi"),
        ("từ 10 - 20 tuổi", "từ mười đến hai mươi tuổi"),
        ("5-7km", "năm đến bảy ki lô mét"),
        ("10-20%", "mười đến hai mươi phần trăm"),
        ("thắng 2-1", "thắng hai một"),
        ("8h-10h", "tám giờ đến mười giờ"),
    ],
    "times": [
        ("8h", "tám giờ"),
        ("8h30", "tám giờ ba mươi phút"),
        ("20:15", "hai mươi giờ mười lăm phút"),
        ("20:00", "hai mươi giờ"),
        ("7:05:09", "bảy giờ năm phút chín giây"),
    ],
    "dates": [
        ("23/11/2026", "ngày hai mươi ba tháng mười một năm hai nghìn không trăm hai mươi sáu"),
        ("ngày 23/11/2026", "ngày hai mươi ba tháng mười một năm hai nghìn không trăm hai mươi sáu"),
        ("ngày 5/4", "ngày năm tháng tư"),
        ("hôm 2/9", "hôm ngày hai tháng chín"),
        ("30/4", "ngày ba mươi tháng tư"),
        ("2026-11-23", "ngày hai mươi ba tháng mười một năm hai nghìn không trăm hai mươi sáu"),
        ("tháng 11/2026", "tháng mười một năm hai nghìn không trăm hai mươi sáu"),
    ],
    "percent, money, units": [
        ("50%", "năm mươi phần trăm"),
        ("50 %", "năm mươi phần trăm"),
        ("50.000đ", "năm mươi nghìn đồng"),
        ("50.000 VNĐ", "năm mươi nghìn đồng"),
        ("$20", "hai mươi đô la"),
        ("100k", "một trăm nghìn"),
        ("5tr", "năm triệu"),
        ("10 km", "mười ki lô mét"),
        ("60km/h", "sáu mươi ki lô mét trên giờ"),
        ("3,5 kg", "ba phẩy năm ki lô gam"),
        ("100m²", "một trăm mét vuông"),
        ("30°C", "ba mươi độ xê"),
        ("-5 °C", "âm năm độ xê"),
        ("90.000đ/kg", "chín mươi nghìn đồng trên ki lô gam"),
        ("m và km", "mờ và ca mờ"),
    ],
    "roman numerals": [
        ("thế kỷ XX", "thế kỷ hai mươi"),
        ("chương IV", "chương bốn"),
        ("thứ IV", "thứ tư"),
        ("Louis XIV", "louis mười bốn"),
        ("tôi mix", "tôi mix"),
    ],
    "digit strings": [
        ("0912345678", "không chín một hai ba bốn năm sáu bảy tám"),
        ("0912.345.678", "không chín một hai ba bốn năm sáu bảy tám"),
        ("1234567890123", "một hai ba bốn năm sáu bảy tám chín không một hai ba"),
    ],
    "abbreviations": [
        ("TP.HCM", "thành phố Hồ Chí Minh"),
        ("TP. HCM", "thành phố Hồ Chí Minh"),
        ("TS. Nguyễn Văn An", "tiến sĩ nguyễn văn an"),
        ("PGS.TS. Trần", "phó giáo sư tiến sĩ trần"),
        ("táo, lê, v.v...", "táo lê vân vân"),
        ("Q.1", "quận một"),
        ("đài VTV ở đây", "đài vê tê vê ở đây"),
        ("Cục tình báo CIA tới", "cục tình báo xê i a tới"),
        ("ở NASA có", "ở na sa có"),
    ],
    "letters and signs": [
        ("A & B", "a và bê"),
        ("2 + 3 = 5", "hai cộng ba bằng năm"),
        ("3x4", "ba nhân bốn"),
        ("3*4", "ba nhân bốn"),
        ("vòng 3D", "vòng ba dê"),
        ("COVID-19", "covid mười chín"),
        ("và/hoặc", "và hoặc"),
    ],
    "the voices of comics": [
        ("K-không thể nào!", "không thể nào"),
        ("T... tôi", "tôi"),
        ("T...tôi", "tôi"),
        ("Khôôôông!!!", "không"),
        ("Hmmm", "hừm"),
        ("AI ĐÓ? KHÔNG PHẢI TÔI!", "ai đó không phải tôi"),
        ("Anh ấy hét: BÙM!", "anh ấy hét bùm"),
    ],
    "nothing is said": [
        ("😀", ""),
        ("— … --", ""),
        ("鬼滅の刃", ""),
        ("Привет", ""),
        ("https://example.com/a?b=c", ""),
        ("example.com", ""),
        ("@tacgia", ""),
        ("a@b.vn", ""),
        ("!!!", ""),
        ("", ""),
        ("\u200b\ufeff\u202e", ""),
        ("***", ""),
    ],
    "marks": [
        ("**đậm** và _nghiêng_ và `mã`", "đậm và nghiêng và mã"),
        ("# Tiêu đề", "tiêu đề"),
        ("- Một\n- Hai", "một hai"),
        ("> trích", "trích"),
        ("[chữ](https://example.com)", "chữ"),
        ("<b>đậm</b>", "đậm"),
        ("---", ""),
    ],
    "names": [
        ("Pokémon ở Tōkyō", "pokémon ở tô ki ô"),
        ("Hokage gặp Goku và Naruto", "hô ca ghê gặp gô cu và na ru tô"),
        ("Saitama-san, Kenji, Hattori", "sai ta ma san kên di ha tô ri"),
        ("Harry và Monkey", "harry và monkey"),
        ("Hai người ở Hoa Lư", "hai người ở hoa lư"),
        ("một game hay", "một game hay"),
        ("O'Brien", "obrien"),
        ("鬼滅 Luffy(ルフィ)", "luffy"),
    ],
}


@pytest.mark.parametrize(("written", "words"), [pair for pairs in READINGS.values() for pair in pairs])
def test_a_text_is_read_as_a_person_would(written: str, words: str) -> None:
    assert said(written) == words


def test_displayed_words_are_the_texts_own_with_their_punctuation() -> None:
    assert shown("“Năm 2026,” anh nói — rồi đi… 😀") == ["“Năm", "2026,”", "anh", "nói", "—", "rồi", "đi…", "😀"]


def test_words_glued_by_dashes_dots_or_commas_are_shown_apart() -> None:
    assert shown("đi—rồi...về,nhé!ừ") == ["đi—", "rồi...", "về,", "nhé!", "ừ"]


def test_commas_and_points_inside_numbers_do_not_cut_them() -> None:
    assert shown("1,5 và 2.000") == ["1,5", "và", "2.000"]


def test_markup_and_invisible_characters_are_not_shown() -> None:
    assert shown("**Xin\u200b** <i>chào</i>\u202e bạn\x07") == ["Xin", "chào", "bạn"]


def test_stops_carry_pause_and_melody() -> None:
    stops = [(token.display, token.stop) for token in to_spoken("Ai? Đi! Ừ, tôi… không (biết) rồi… Thôi. Hết")]
    assert stops == [
        ("Ai?", "?"),
        ("Đi!", "!"),
        ("Ừ,", ","),
        ("tôi…", ","),
        ("không", ","),
        ("(biết)", ","),
        ("rồi…", "."),
        ("Thôi.", "."),
        ("Hết", "."),
    ]


def test_the_point_of_an_abbreviation_ends_no_sentence() -> None:
    assert [token.stop for token in to_spoken("TS. An tới. Rồi đi.")] == ["", "", ".", "", "."]


def test_a_blank_line_ends_a_sentence_and_a_line_break_does_not() -> None:
    assert [token.stop for token in to_spoken("một\nhai\n\nba")] == ["", ".", "."]


@pytest.mark.parametrize("text", ["Tiếng Việt có dấu, 25 tuổi", "Đặng Thị Ngọc Ánh"])
def test_decomposed_text_is_read_and_shown_like_composed_text(text: str) -> None:
    assert to_spoken(unicodedata.normalize("NFD", text)) == to_spoken(text)


def test_lone_surrogates_and_stacked_marks_do_no_harm() -> None:
    assert said("a\ud800b e\u0301\u0302\u0303\u0304x") == "ab éx"


def test_an_unspeakable_text_is_told_from_a_speakable_one() -> None:
    assert not speakable(to_spoken("… — 😀 @ai"))
    assert speakable(to_spoken("… à"))


WILD = st.one_of(
    st.text(max_size=120),
    st.text(alphabet="0123456789.,-–/:hđ$%kmx°²½ TPHCMvIVX#*_+=@&()…—!?'\"\n", max_size=60),
    st.text(alphabet=st.characters(categories=["Cs", "Cf", "Cc", "Mn", "Ll"]), max_size=60),
)


@given(WILD)
@example("9" * 5000)
@example("1." * 2000)
@example("*_" * 2000 + "[](" * 500)
@settings(max_examples=400, deadline=None)
def test_whatever_the_text_only_plain_letters_reach_the_engine(text: str) -> None:
    tokens = to_spoken(text)
    for token in tokens:
        assert token.display == token.display.strip() != ""
        for word in token.spoken:
            assert word
            assert set(word.lower()) <= ALPHABET
    line = align.line(tokens)
    assert len(line.text.split()) == len(line.starts) == sum(len(token.spoken) for token in tokens)


@given(st.text(max_size=120))
def test_cleaning_twice_changes_no_word(text: str) -> None:
    assert "\u200b" not in clean(text)
    assert unicodedata.is_normalized("NFC", clean(text))


def test_tokens_are_values() -> None:
    assert to_spoken("à") == (Token("à", ("à",), "."),)
