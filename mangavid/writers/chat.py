"""The chat protocol as bytes and back: messages of a prompt, and what is taken from a completion."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import msgspec

from mangavid.writers import amounts, titles
from mangavid.writers.chatfaults import Again
from mangavid.writers.prompts import Prompt, Turn

_MAX_TOKENS = 100_000_000


class Answer(msgspec.Struct, frozen=True):
    """What is kept of an answer. ``thought``: tokens of it that were not written down."""

    text: str
    finish: str
    refusal: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    thought: int = 0


def kept(data: bytes | None) -> Answer | None:
    """An answer as it was kept; None where there is none, or one of an earlier version."""
    try:
        return msgspec.json.decode(data, type=Answer) if data else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def message(turn: Turn, detail: str) -> dict[str, Any]:
    """A message as it is sent: plain text where it can be, which every server takes."""
    if len(turn.texts) == 1 and not turn.pictures:
        return {"role": turn.role, "content": turn.texts[0]}
    parts: list[dict[str, Any]] = []
    alone = len(turn.texts) - len(turn.pictures)
    for place, text in enumerate(turn.texts):
        parts.append({"type": "text", "text": text})
        if place >= alone:
            url = "data:image/jpeg;base64," + base64.b64encode(turn.pictures[place - alone]).decode()
            parts.append({"type": "image_url", "image_url": {"url": url, "detail": detail}})
    return {"role": turn.role, "content": parts}


def answer_format(kind: str, prompt: Prompt) -> dict[str, Any]:
    """``response_format``."""
    if kind == "json_object":
        return {"type": kind}
    return {"type": kind, "json_schema": {"name": prompt.task, "strict": True, "schema": prompt.schema}}


# --- reading an answer -----------------------------------------------------------------------------------------------


def read(body: Mapping[str, Any], tokens_in: int) -> Answer:
    """An answer from a completion; fields may be missing. Raises Again where it is no completion."""
    choices = body.get("choices")
    if not isinstance(choices, list):
        raise Again("it answered without a choice to take", paid=True)
    choice = _dict(choices[0] if choices else None)
    message = _dict(choice.get("message"))
    text, refusal = _content(message)
    finish = str(choice.get("finish_reason") or "stop")
    if finish in ("content_filter", "safety", "SAFETY", "refusal"):
        refusal = refusal or "its filter of contents"
    elif not choices:
        refusal = "it gave no answer"
    usage = _dict(body.get("usage"))
    given_in, given_out = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    return Answer(
        text=text,
        finish="length" if finish in ("length", "max_tokens", "MAX_TOKENS") else finish,
        refusal=titles.plain(refusal[:2000], 160),
        tokens_in=tokens_in if given_in is None else given_in,
        tokens_out=amounts.of_text(text) if given_out is None else given_out,
        thought=_count(_dict(usage.get("completion_tokens_details")).get("reasoning_tokens")) or 0,
    )


def _content(message: Mapping[str, Any]) -> tuple[str, str]:
    """Text and refusal of a message, whose content is a text or a list of parts."""
    content, refusal = message.get("content"), message.get("refusal")
    texts = [content] if isinstance(content, str) else []
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict):
            texts.append(str(part.get("text") or ""))
            refusal = refusal or part.get("refusal")
    # Lone surrogates can't be stored: they would fail later, where the answer is paid already.
    text = "".join(texts).encode("utf-8", "replace").decode()
    return text, refusal if isinstance(refusal, str) else ""


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_TOKENS else None
