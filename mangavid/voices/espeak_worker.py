"""One text to speech with eSpeak NG, in a process of its own: ``python -I -S espeak_worker.py LIBRARY DATA``.

eSpeak NG keeps state between utterances (the same text twice in one process gives different samples), has one global
voice per process and may crash on odd data; a process that lives for one text has none of these troubles. So this file
imports the standard library only, nothing of mangavid, and starts in some 20 ms.

stdin: JSON ``{"text", "voice", "rate", "pitch", "volume"}``. An empty ``text`` asks for the version only.
stdout: one line of JSON ``{"version", "rate", "words": [[position, sample], …], "end": sample}``, then the samples
(mono, signed 16-bit, native order). ``position`` counts characters of ``text`` from 0; ``sample`` counts from the
start of the audio. Exit code 3 with one line on stderr: eSpeak NG could not start or refused.
"""

import ctypes
import json
import sys

# espeak-ng/speak_lib.h
SYNCHRONOUS = 2
DONT_EXIT = 0x8000
POSITION_IN_CHARACTERS = 1
TEXT_IS_UTF8 = 1
RATE, VOLUME, PITCH = 1, 2, 3
EVENTS_OVER, WORD, END = 0, 1, 5


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


def main() -> None:
    library, data = sys.argv[1], sys.argv[2]
    order = json.load(sys.stdin.buffer)
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

    callback = Callback(receive)  # kept in a variable: eSpeak NG holds only its address
    espeak.espeak_SetSynthCallback(callback)
    if espeak.espeak_SetVoiceByName(order["voice"].encode()) != 0:
        raise refused(f"it has no voice {order['voice']}")
    for parameter, value in ((RATE, order["rate"]), (VOLUME, order["volume"]), (PITCH, order["pitch"])):
        espeak.espeak_SetParameter(parameter, value, 0)
    if order["text"]:
        text = order["text"].encode() + b"\0"
        status = espeak.espeak_Synth(text, len(text), 0, POSITION_IN_CHARACTERS, 0, TEXT_IS_UTF8, None, None)
        if status != 0 or espeak.espeak_Synchronize() != 0:
            raise refused(f"it could not speak (status {status})")
    header = {"version": version, "rate": rate, "words": words, "end": end}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + samples)


if __name__ == "__main__":
    main()
