"""What a request to a model may cost and what an answer did: tokens, and millionths of a US dollar."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mangavid import config

#: Tokens that a server adds around messages and an answer's form, generously.
_AROUND = 400
_LARGEST = (1536, 1536)


def micros(settings: config.Writer, tokens_in: int, tokens_out: int) -> int:
    """A price for a million tokens in dollars is one for a token in millionths. Rounded up."""
    return math.ceil(tokens_in * settings.price_in + tokens_out * settings.price_out)


def of_text(text: str) -> int:
    """More tokens than any usual tokeniser makes of it: one every two bytes."""
    return -(-len(text.encode("utf-8", "replace")) // 2)


def of_request(settings: config.Writer, texts: Sequence[str], pictures: Sequence[bytes]) -> int:
    """Tokens in, estimated upward."""
    seen = sum(of_picture(*(jpeg_size(data) or _LARGEST), settings) for data in pictures)
    return _AROUND + sum(map(of_text, texts)) + seen


def of_picture(width: int, height: int, settings: config.Writer) -> int:
    """The larger of the two rules by which OpenAI counts a picture; which one holds depends on the model.

    Tiles: into 2048 × 2048, short side to 768, 85 and 170 for each 512-pixel tile; gpt-4o-mini counts 33⅓ times as
    much. Patches: 32 pixels each, at most 1,536, the dearest model counting 2.46 tokens for one.
    """
    small = settings.detail == "low"
    if small:
        scale = min(1.0, 512 / max(width, height))
        width, height = math.ceil(width * scale), math.ceil(height * scale)
    patches = min(math.ceil(width / 32) * math.ceil(height / 32), 1536) * 2.46
    scale = min(1.0, 2048 / max(width, height))
    scale = min(scale, 768 / (min(width, height) * scale) * scale)
    tiles = 0 if small else math.ceil(width * scale / 512) * math.ceil(height * scale / 512)
    tiled = (85 + 170 * tiles) * (100 / 3 if "4o-mini" in settings.model else 1)
    return math.ceil(max(patches, tiled))


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height from a JPEG's frame header; None where there is none."""
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
            return (width, height) if width and height else None
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
