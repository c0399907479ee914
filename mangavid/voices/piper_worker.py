"""Texts to speech with Piper, in a process of its own: ``python -I piper_worker.py``. Nothing of mangavid is imported.

Piper is under the GPL, brings a C library with global state, and a model's crash is a segmentation fault; mangavid
talks to it over pipes, as to eSpeak NG.

stdin: a line of JSON ``{"model", "speaker", "speed", "path"}`` (``path``: where Python finds packages), then a line a
text: ``{"text", "out"}``. stdout: a line ``{"rate"}``, then a line a text: ``{"said"}``, empty where ``out`` was
written, else why it was not.

``out`` appears whole or not at all: a line of JSON ``{"sentences": [[samples, [start, …]], …], "bytes", "crc32"}``,
then the samples (mono, signed 16-bit, native order). A sentence's starts, in samples from its beginning, are those of
its words; there are none where the model does not tell.
"""

import json
import os
import sys
import zlib
from collections.abc import Callable
from importlib import import_module
from typing import Any, BinaryIO

Sentence = tuple[int, list[int]]
Speak = Callable[[str], tuple[bytes, list[Sentence]]]


def engine(order: dict[str, Any]) -> tuple[int, Speak]:
    """The voice's samples a second, and what speaks a text with it."""
    sys.path[:] = order["path"]
    piper = import_module("piper")
    voice = piper.PiperVoice.load(order["model"])
    how = piper.SynthesisConfig(
        speaker_id=order["speaker"],
        length_scale=voice.config.length_scale / order["speed"],
        normalize_audio=True,
        volume=0.6,  # at the full scale a codec may clip
    )

    def speak(text: str) -> tuple[bytes, list[Sentence]]:
        samples = b""
        sentences: list[Sentence] = []
        for chunk in voice.synthesize(text, how, include_alignments=True):
            pcm = chunk.audio_int16_bytes
            samples += pcm
            sentences.append((len(pcm) // 2, starts(chunk.phoneme_alignments or [])))
        return samples, sentences

    return voice.config.sample_rate, speak


def starts(alignments: list[Any]) -> list[int]:
    """Where each word begins, in samples: behind the sign of the sentence's beginning, and behind each space."""
    found: list[int] = []
    at, new = 0, True
    for one in alignments:
        if one.phoneme in (" ", "^"):
            new = True
        elif new and one.phoneme.isalpha() | (one.phoneme in "ˈˌ"):
            found.append(at)
            new = False
        at += int(one.num_samples)
    return found


def write(file: BinaryIO, samples: bytes, sentences: list[Sentence]) -> None:
    """The answer to a text."""
    header = {"sentences": sentences, "bytes": len(samples), "crc32": zlib.crc32(samples)}
    file.write(json.dumps(header).encode() + b"\n" + samples)


def serve(rate: int, speak: Speak, answers: BinaryIO) -> None:
    """Say what the voice is, then speak texts until stdin ends."""
    tell({"rate": rate}, answers)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        try:
            samples, sentences = speak(order["text"])
            part = f"{order['out']}.part"
            with open(part, "wb") as file:  # noqa: PTH123 - as espeak_worker does
                write(file, samples, sentences)
            os.rename(part, order["out"])  # noqa: PTH104
            tell({"said": ""}, answers)
        except Exception as problem:
            tell({"said": f"{type(problem).__name__}: {problem}"}, answers)


def tell(answer: dict[str, Any], answers: BinaryIO) -> None:
    answers.write(json.dumps(answer).encode() + b"\n")
    try:
        answers.flush()
    except BrokenPipeError:  # whoever asked is gone
        os._exit(0)


def main() -> None:
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what libraries print must not get among the answers
        rate, speak = engine(json.loads(sys.stdin.buffer.readline()))
        serve(rate, speak, answers)


if __name__ == "__main__":
    main()
