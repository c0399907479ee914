"""Texts to speech with eSpeak NG, each in a process of its own: ``python -I -S espeak_worker.py LIBRARY DATA``.

eSpeak NG keeps state between utterances (the same text twice in one process gives different samples), has one global
voice per process and may crash on odd data. So the library is loaded and set up once, and each text is spoken in a
fork of that: none has a past, and none can take another with it. This file imports the standard library only, nothing
of mangavid.

stdin: a line of JSON ``{"voice", "rate", "pitch", "volume"}``, then a line a text: ``{"text", "out", "seconds"}``.
stdout: a line ``{"version", "rate"}``, then a line a text: ``{"status", "said"}``: how its fork ended (0, an exit code,
or minus the signal that ended it) and why, or ``"there"`` where ``out`` had it already.

``out`` is a file that appears whole or not at all: a line of JSON ``{"words": [[position, sample], …], "end": sample,
"bytes", "crc32"}``, then the samples (mono, signed 16-bit, native order). ``position`` counts characters of the text
from 0; ``sample`` counts from the start of the audio. A fork outlives whoever asked for it, so that what is being
spoken when they are killed is found by those who come after; ``seconds`` is how long it may take.
"""

import ctypes
import fcntl
import json
import os
import signal
import sys
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

# espeak-ng/speak_lib.h
SYNCHRONOUS = 2
DONT_EXIT = 0x8000
POSITION_IN_CHARACTERS = 1
TEXT_IS_UTF8 = 1
RATE, VOLUME, PITCH = 1, 2, 3
EVENTS_OVER, WORD, END = 0, 1, 5

#: In ``said``: the file was there, nothing was spoken.
THERE = "there"

Speak = Callable[[str, BinaryIO], None]


class Event(ctypes.Structure):
    """``espeak_EVENT``."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    ]


Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event))


def refused(reason: str) -> SystemExit:
    sys.stderr.write(reason + "\n")
    return SystemExit(3)


def engine(library: str, data: str, settings: dict[str, Any]) -> tuple[dict[str, Any], Speak]:
    """What the engine is, and the function that speaks a text into a file."""
    try:
        espeak = ctypes.CDLL(library)
    except OSError as problem:
        raise refused(f"the library can't be loaded: {problem}") from problem
    espeak.espeak_Info.restype = ctypes.c_char_p
    rate = espeak.espeak_Initialize(SYNCHRONOUS, 0, data.encode() or None, DONT_EXIT)
    if rate <= 0:
        raise refused(f"its data was not found in {data or 'its own folder'}")
    version = espeak.espeak_Info(None).decode()

    samples = bytearray()
    words: list[tuple[int, int]] = []
    end = 0

    def receive(wave: object, count: int, events: object) -> int:
        nonlocal end
        if wave and count > 0:
            samples.extend(ctypes.string_at(wave, 2 * count))  # type: ignore[arg-type]
        i = 0
        while (event := events[i]).type != EVENTS_OVER:  # type: ignore[index]
            if event.type == WORD:
                words.append((event.text_position - 1, event.sample))
            elif event.type == END:
                end = event.sample
            i += 1
        return 0

    callback = Callback(receive)
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(settings["voice"].encode()) != 0:
        raise refused(f"it has no voice {settings['voice']}")
    for parameter, value in ((RATE, settings["rate"]), (VOLUME, settings["volume"]), (PITCH, settings["pitch"])):
        espeak.espeak_SetParameter(parameter, value, 0)

    def speak(text: str, file: BinaryIO, _kept: object = callback) -> None:  # eSpeak NG holds only its address
        data = text.encode() + b"\0"
        status = espeak.espeak_Synth(data, len(data), 0, POSITION_IN_CHARACTERS, 0, TEXT_IS_UTF8, None, None)
        if status != 0 or espeak.espeak_Synchronize() != 0:
            raise SystemExit(f"it could not speak (status {status})")
        write(file, samples, words, end)

    return {"version": version, "rate": rate}, speak


def write(file: BinaryIO, samples: bytes | bytearray, words: list[tuple[int, int]], end: int) -> None:
    """The answer to a text."""
    header = {"words": words, "end": end, "bytes": len(samples), "crc32": zlib.crc32(samples)}
    file.write(json.dumps(header).encode() + b"\n" + samples)


def serve(about: dict[str, Any], speak: Speak) -> None:
    """Say what the engine is, then speak texts until stdin ends."""
    tell(about)
    for line in sys.stdin.buffer:
        order = json.loads(line)
        source, target = os.pipe()
        child = os.fork()
        if not child:
            os.close(source)
            os.close(sys.stdout.fileno())  # else whoever asked would not see that this process has ended
            _in_fork(order, speak, target)
        os.close(target)
        with os.fdopen(source, "rb") as words:
            said = words.read(1 << 16).decode("utf-8", "replace")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        tell({"status": status, "said": said})


def tell(answer: dict[str, Any]) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    try:
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # whoever asked is gone
        os._exit(0)


def _in_fork(order: dict[str, Any], speak: Speak, words: int) -> None:
    """Speak one text and end this process, by the kernel's hand where it takes too long."""
    code = 1
    try:
        signal.setitimer(signal.ITIMER_REAL, order["seconds"])
        if not _spoken(order["out"], order["text"], speak):
            os.write(words, THERE.encode())
        code = 0
    except SystemExit as reason:
        os.write(words, str(reason.code).encode())
    except BaseException as problem:
        os.write(words, f"{type(problem).__name__}: {problem}".encode())
    finally:
        os._exit(code)


def _spoken(out: str, text: str, speak: Speak) -> bool:
    """Whether the text was spoken now. Of two that are asked for the same, one waits for the other's file."""
    part = f"{out}.part"
    with open(part, "a+b") as file:  # noqa: PTH123 - pathlib takes time to load
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.path.exists(out):  # noqa: PTH110
            return False
        file.truncate(0)  # of one that was killed
        speak(text, file)
        file.flush()
        os.rename(part, out)  # noqa: PTH104
    return True


def main() -> None:
    about, speak = engine(sys.argv[1], sys.argv[2], json.loads(sys.stdin.buffer.readline()))
    serve(about, speak)


if __name__ == "__main__":
    main()
