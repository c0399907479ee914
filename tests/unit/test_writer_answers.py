"""What becomes of an answer: taken as it is, mended here, asked for again (once or twice), or given up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid import config
from mangavid.errors import ScriptInvalid
from mangavid.writers import amounts, answers, prompts, safe, telling
from mangavid.writers.answers import Limits, Told, Unusable
from tests.fakes.chat import LINE
from tests.unit.test_writer_offline import chapter

LIMITS = Limits(10, 20, "vi")
#: The second batch of a chapter of nine panels: panels 4 to 6.
SHOWN = range(3, 6)


def plain(**changes: Any) -> dict[str, Any]:
    answer = {
        "panels": [{"panel": n, "kind": "story", "text": LINE.format(n)} for n in (4, 5, 6)],
        "story": "Cậu bé đi qua cổng.",
        "names": [{"name": "Minh", "who": "cậu bé"}],
    }
    return answer | changes


def panels(*lines: Any) -> dict[str, Any]:
    """The answer with changes of its lines: None takes one out, a dict changes it."""
    result = []
    for line, change in zip(plain()["panels"], lines, strict=True):
        if change is not None:
            result.append(line | change)
    return plain(panels=result)


def text(answer: Any) -> str:
    return json.dumps(answer, ensure_ascii=False)


GOOD = text(plain())
LONG = "Cậu bé bước qua cánh cổng cũ và khẽ gọi tên " * 3
LONG_CLAUSE = "Cậu bé bước qua cánh cổng cũ và khẽ gọi tên người bạn, " * 3
LONG_SENTENCE = "Cậu bé bước qua cánh cổng cũ và khẽ gọi tên bạn. " * 2
ENGLISH = "The little boy walks through the old gate and calls the name of his friend."
JAPANESE = "少年 は 古い 門 を くぐり 友 の 名 を そっと 呼んだ。"

AS_IS = {
    "plain": GOOD,
    "indented": json.dumps(plain(), ensure_ascii=False, indent=2),
    "letters escaped": json.dumps(plain()),
    "spaces and line breaks around it": f"\n\n  {GOOD}\n ",
    "a silent panel without a story": text(panels({"kind": "credits", "text": ""}, {}, {})),
    "no names yet": text(plain(names=[])),
}

MENDED = {
    "a fence with json": f"```json\n{GOOD}\n```",
    "a fence without a language": f"```\n{GOOD}\n```",
    "a fence amid prose": f"Here it is:\n```json\n{GOOD}\n```\nEnjoy!",
    "prose before": f"Sure! Here is the narration: {GOOD}",
    "prose behind": f"{GOOD}\n\nLet me know what to change.",
    "prose on both sides": f"Kết quả: {GOOD} Hết.",
    "a byte order mark": f"\ufeff{GOOD}",
    "thoughts first": f'<think>Panel 4 {{"panels": 1}} shows a gate…</think>\n{GOOD}',
    "an envelope of one field": text({"result": plain()}),
    "fields nobody asked for": text(plain(mood="tense", panels=[p | {"emotion": 1} for p in plain()["panels"]])),
    "numbers as strings": text(panels({"panel": "4"}, {"panel": "5"}, {"panel": "6"})),
    "numbers with a fraction of nothing": text(panels({"panel": 4.0}, {}, {})),
    "panels out of order": text(plain(panels=plain()["panels"][::-1])),
    "panels counted within the batch": text(panels({"panel": 1}, {"panel": 2}, {"panel": 3})),
    "no kind": text(plain(panels=[{"panel": n, "text": LINE.format(n)} for n in (4, 5, 6)])),
    "a line break within a string": GOOD.replace("Cậu bé đi", "Cậu bé\nđi"),
    "control characters": GOOD.replace("Cậu bé đi", "Cậu \\u0000\\u0007\\u001b bé đi"),
    "lone surrogates": GOOD.replace("Cậu bé đi", "Cậu \\ud83d bé đi"),
    "bidi and zero width": GOOD.replace("Cậu bé đi", "Cậu \\u202e\\u200b\\u2066 bé đi"),
    "decomposed letters": GOOD.replace("ậ", "a\u0323\u0302"),
    "a long line that ends with a clause in time": text(panels({"text": LONG_CLAUSE}, {}, {})),
    "a long line that ends with a sentence in time": text(panels({"text": LONG_SENTENCE}, {}, {})),
    "a long line over credits": text(panels({"kind": "credits", "text": LONG}, {}, {})),
    "twice as many names as are kept": text(plain(names=[{"name": f"N{n}", "who": ""} for n in range(80)])),
    "a story that is far too long": text(plain(story="Cậu bé đi mãi. " * 200)),
}

ASKED_AGAIN = {
    "empty": "",
    "only spaces": " \n\t ",
    "only a byte order mark": "\ufeff",
    "prose": "I can see a boy at a gate.",
    "HTML": "<html><body>502 Bad Gateway</body></html>",
    "null": "null",
    "a list instead of an object": text(plain()["panels"]),
    "a string instead of an object": text(GOOD),
    "a number": "42",
    "truncated in a string": GOOD[: len(GOOD) // 2],
    "truncated at the last bracket": GOOD[:-1],
    "an open fence": f"```json\n{GOOD[:-9]}",
    "two fences": f"```json\n{GOOD}\n```\nor\n```json\n{GOOD}\n```",
    "two objects": f"{GOOD}\n{GOOD}",
    "single quotes": str(plain()),
    "trailing commas": GOOD.replace("}]", "},]"),
    "comments": GOOD.replace('"story"', '// so far\n"story"'),
    "NaN": GOOD.replace('"panel": 4', '"panel": NaN'),
    "Infinity": GOOD.replace('"panel": 4', '"panel": -Infinity'),
    "a number beyond all bounds": GOOD.replace('"panel": 4', '"panel": 1e999'),
    "a number of five thousand digits": GOOD.replace('"panel": 4', '"panel": ' + "4" * 5000),
    "duplicate keys": GOOD.replace('"story":', '"story": "a", "story":'),
    "duplicate keys in a line": GOOD.replace('"panel": 4', '"panel": 5, "panel": 4'),
    "a panel too few": text(panels({}, None, {})),
    "a panel too many": text(plain(panels=[*plain()["panels"], {"panel": 7, "kind": "story", "text": "Hết."}])),
    "a panel twice": text(panels({}, {"panel": 4}, {})),
    "a panel that was not shown": text(panels({}, {}, {"panel": 9})),
    "panels counted from nought": text(panels({"panel": 3}, {"panel": 4}, {"panel": 5})),
    "negative numbers": text(panels({"panel": -4}, {}, {})),
    "no panels": text(plain(panels=[])),
    "panels null": text(plain(panels=None)),
    "panels as an object": text(plain(panels={"4": "a", "5": "b", "6": "c"})),
    "lines as mere strings": text(plain(panels=["a", "b", "c"])),
    "a line null": text(panels({"text": None}, {}, {})),
    "a line as a number": text(panels({"text": 7}, {}, {})),
    "a line as a list": text(panels({"text": ["a"]}, {}, {})),
    "a kind that there is not": text(panels({"kind": "splash"}, {}, {})),
    "all lines empty": text(panels({"text": ""}, {"text": " "}, {"text": "…"})),
    "no story": text({name: value for name, value in plain().items() if name != "story"}),
    "names null": text(plain(names=None)),
    "names as mere strings": text(plain(names=["Minh"])),
    "nested ten thousand deep": "[" * 10_000 + "]" * 10_000,
    "nested within the object": '{"panels": ' + "[" * 10_000 + "]" * 10_000 + "}",
    "huge": text(plain(story="x" * 500_000)),
    "an envelope in an envelope": text({"data": {"result": plain()}}),
    "a schema instead of an answer": '{"type": "object", "properties": {}}',
    "a long line without an end": text(panels({"text": LONG}, {}, {})),
    "English": text(panels(*[{"text": ENGLISH}] * 3)),
    "Japanese": text(panels(*[{"text": JAPANESE}] * 3)),
    "Vietnamese without its marks": text(panels(*[{"text": "Cau be buoc qua canh cong cu va khe goi ten ban"}] * 3)),
}


def check(answer: str, last: bool = False) -> Told:
    return answers.told(answer, SHOWN, LIMITS, (), last=last)


def prompt() -> prompts.Prompt:
    pictures = [b"\xff\xd8"] * 3
    return prompts.panels(config.Writer(), "vi", chapter([9]), SHOWN, pictures, prompts.Carried(), None)


class Asked:
    """Gives these answers, one a question."""

    def __init__(self, *given: str) -> None:
        self.given = list(given)
        self.prompts: list[prompts.Prompt] = []

    def __call__(self, one: prompts.Prompt) -> str:
        self.prompts.append(one)
        return self.given.pop(0)


@pytest.mark.parametrize("answer", AS_IS.values(), ids=[f"{name} - taken as it is" for name in AS_IS])
def test_a_good_answer_is_taken_as_it_is(answer: str) -> None:
    given = json.loads(answer)
    assert check(answer).texts == tuple(line["text"] for line in given["panels"])
    assert check(answer).story == "Cậu bé đi qua cổng."


@pytest.mark.parametrize("answer", MENDED.values(), ids=[f"{name} - mended here" for name in MENDED])
def test_an_answer_with_one_possible_reading_is_mended_without_asking(answer: str) -> None:
    told = check(answer)
    assert told.texts[1:] == (LINE.format(5), LINE.format(6)), "each line stands at its panel"
    assert told.texts[0] == "" or told.texts[0].startswith("Cậu bé bước qua cánh cổng cũ")
    assert safe.words(told.texts[0]) <= 20 and not told.texts[0].endswith(",")
    assert told.story.startswith("Cậu bé") and len(told.story) <= 400
    assert len(told.names) <= 40


@pytest.mark.parametrize(
    "answer", ASKED_AGAIN.values(), ids=[f"{name} - repaired by asking once" for name in ASKED_AGAIN]
)
def test_an_answer_that_leaves_doubt_is_asked_for_once_more_with_the_reason(answer: str) -> None:
    ask = Asked(answer, GOOD)
    assert telling._repaired(prompt(), ask, check).texts[0] == LINE.format(4)
    first, second = ask.prompts
    assert [turn.role for turn in second.turns] == ["system", "user", "assistant", "user"]
    assert second.turns[:2] == first.turns, "the pictures are shown again"
    assert "can't be used" in second.turns[3].texts[0]
    assert len(second.turns[2].texts[0]) <= 12_000


@pytest.mark.parametrize("name", ["prose", "truncated in a string", "a panel too few", "NaN", "names null"])
def test_a_second_repair_may_do_what_the_first_did_not(name: str) -> None:
    ask = Asked(ASKED_AGAIN[name], ASKED_AGAIN["empty"], GOOD)
    assert telling._repaired(prompt(), ask, check).texts[0] == LINE.format(4)
    assert len(ask.prompts[2].turns) == 4, "only the last answer is shown, not the one before"


NEVER_LEFT = [name for name in ASKED_AGAIN if name not in ("a long line without an end", "English", "Japanese")]


@pytest.mark.parametrize("name", [f"{name} - ScriptInvalid" for name in NEVER_LEFT if "marks" not in name])
def test_after_two_repairs_it_is_given_up(name: str) -> None:
    ask = Asked(*[ASKED_AGAIN[name.removesuffix(" - ScriptInvalid")]] * 9)
    with pytest.raises(ScriptInvalid, match="can't be used") as told:
        telling._repaired(prompt(), ask, check)
    assert len(ask.prompts) == 3
    assert "\n" not in str(told.value) and len(str(told.value)) < 400 and told.value.hint


@pytest.mark.parametrize("name", ["English", "Japanese", "Vietnamese without its marks"])
def test_a_wrong_language_is_repaired_once_then_given_up(name: str) -> None:
    ask = Asked(*[ASKED_AGAIN[name]] * 9)
    with pytest.raises(ScriptInvalid, match="not in Vietnamese"):
        telling._repaired(prompt(), ask, check)
    assert len(ask.prompts) == 2


def test_a_line_that_stays_too_long_is_cut_behind_a_word_in_the_end() -> None:
    told = telling._repaired(prompt(), Asked(*[text(panels({"text": LONG}, {}, {}))] * 3), check)
    assert safe.words(told.texts[0]) == 20 and told.texts[0].endswith("…")


def test_the_lines_of_first_and_last_batch_must_be_there() -> None:
    with pytest.raises(Unusable, match="hook is empty"):
        answers.told(GOOD, SHOWN, LIMITS, ("hook", "recap"))
    told = answers.told(text(plain(hook="Cổng mở!", outro="Hết.")), SHOWN, LIMITS, ("hook", "outro"))
    assert (told.hook, told.outro, told.recap) == ("Cổng mở!", "Hết.", "")


@pytest.mark.parametrize(
    ("given", "short"),
    [
        ("Một hai ba. Bốn năm sáu. Bảy tám.", "Một hai ba. Bốn năm sáu."),
        ("Một hai ba bốn, năm sáu bảy tám", "Một hai ba bốn."),
        ("Một hai ba bốn năm sáu bảy", ""),
        ("Một. Hai ba bốn năm; sáu bảy tám", "Một. Hai ba bốn năm."),
    ],
)
def test_a_line_is_cut_at_a_sentence_else_at_a_clause(given: str, short: str) -> None:
    assert answers.shortened(given, 6, 3) == short


# --- polish and about ------------------------------------------------------------------------------------------------


def polish(*edited: str, first: dict[str, int] | None = None) -> list[str]:
    old = [(n, LINE.format(n)) for n in range(len(edited))]
    answer = text({"lines": [{"panel": n + 1, "text": line} for n, line in enumerate(edited)]})
    return answers.polished(answer, old, LIMITS, first or {})


def test_a_polished_line_replaces_the_first_version() -> None:
    new = "Cậu bé bước qua cánh cổng cũ, rồi khẽ gọi tên người bạn thân."
    assert polish(new, LINE.format(1)) == [new, LINE.format(1)]


@pytest.mark.parametrize(
    "line",
    ["", "Ngắn quá.", LONG, "http://canary.example", "Cậu bé Minh bước qua cánh cổng cũ và khẽ gọi tên người bạn ấy."],
    ids=["empty", "too short", "too long", "a link", "a name before its time"],
)
def test_a_polished_line_that_may_not_stand_stays_as_it_was(line: str) -> None:
    kept = "Cậu bé Minh bước qua cánh cổng cũ và khẽ gọi người bạn."
    assert polish(line, kept, first={"Minh": 1}) == [LINE.format(0), kept]


def test_polished_lines_must_be_as_many_as_were_sent() -> None:
    answer = text({"lines": [{"panel": 1, "text": "Một."}]})
    with pytest.raises(Unusable, match="there must be 2"):
        answers.polished(answer, [(0, "Một."), (1, "Hai.")], LIMITS, {})


def test_title_description_and_tags_are_bounded() -> None:
    about = answers.about(
        text(
            {
                "title": "Ngày " * 60,
                "description": "Một ngày đẹp trời. " * 200,
                "tags": ["thẻ " * 20, "a,b", "", "a b"] * 9,
            }
        ),
        "vi",
    )
    assert len(about.title) <= 80 and len(about.description) <= 1000
    assert about.tags and all(len(tag) <= 30 and "," not in tag for tag in about.tags)


@pytest.mark.parametrize("field", ["title", "description"])
def test_an_empty_title_or_description_is_asked_for_again(field: str) -> None:
    with pytest.raises(Unusable, match=field):
        answers.about(text({"title": "A", "description": "B", "tags": []} | {field: "https://canary.example"}), "vi")


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_a_picture_costs_what_the_dearer_rule_says() -> None:
    of: Callable[..., int] = amounts.of_picture
    high = config.Writer(detail="high")
    assert of(1000, 1450, high) == 3622, "32 × 46 patches at 2.46; 6 tiles would be 1,105"
    assert of(4000, 6000, high) == 3779, "never more than 1,536 patches"
    assert of(1000, 1450, config.Writer(detail="low")) == 473
    assert of(1000, 1450, config.Writer(detail="high", model="gpt-4o-mini")) == 36_834


def test_the_price_is_that_of_a_million_tokens_rounded_up() -> None:
    assert amounts.micros(config.Writer(price_in=0.4, price_out=1.6), 1001, 10) == 417


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\x00\x00" * 9, b"GIF89a" * 9, b"\xff\xd8\xff\xc0"]
)
def test_a_picture_of_unknown_size_counts_as_the_largest(data: bytes) -> None:
    assert amounts.jpeg_size(data) is None
    assert amounts.of_request(config.Writer(), [], [data]) == 400 + 3779


@given(st.text())
def test_any_text_costs_at_least_a_token_every_other_character(given: str) -> None:
    assert amounts.of_text(given) >= len(given) / 2


# --- clean text ------------------------------------------------------------------------------------------------------

KEPT = [
    "Anh đi. Cô ở lại… Ai đó hét: “Chạy đi!”",
    "Năm 1990-1995 có 10.000.000 người, 5,5 phần trăm.",
    "Trời mưa, v.v. Chương 3. Một ngày mới.",
    "D.Gray-man và Dr. Stone, tập 12.5",
    "Im lặng...Rồi một tiếng nổ.",
    "Dấu chấm to đùng trên giấy.",
]


@pytest.mark.parametrize("line", KEPT)
def test_a_plain_line_stays_as_it_is(line: str) -> None:
    assert safe.safe(line) == line


@given(st.text(max_size=200))
def test_what_is_safe_stays_as_it_is(line: str) -> None:
    clean = safe.safe(line)
    assert safe.safe(clean) == clean
    assert not set(clean) & set("<>@#*_`|\\{}[]\r\n\t\0\u202e\u200b")


@given(st.text(max_size=300), st.integers(10, 100))
def test_a_bounded_text_is_no_longer_than_allowed(line: str, limit: int) -> None:
    assert len(safe.bounded(line, limit)) <= limit
