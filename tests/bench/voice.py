"""What a line of speech costs: ``python tests/bench/voice.py [TEXT]``. Wall and processor time, one and two at once."""

from __future__ import annotations

import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from mangavid import config
from mangavid.voices.espeak import EspeakVoice

LINE = "Năm 2026, “cậu bé” 12 tuổi đi 3,5 km trong mưa rồi hỏi: “Ai đó?” Không ai trả lời, chỉ có tiếng gió."
TIMES = 40


def processor() -> float:
    """Seconds of processor time of this process and its ended children."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> None:
    text = " ".join(sys.argv[1:]) or LINE
    begun = time.perf_counter()
    voice = EspeakVoice(config.Voice())
    opened = time.perf_counter()
    spoken = voice.speak(text)
    first = time.perf_counter()
    print(f"key {voice.key}; {spoken.samples / 48_000:.2f} s of speech, {len(spoken.words)} words")
    print(f"open {1000 * (opened - begun):.0f} ms, first line {1000 * (first - opened):.0f} ms (loads numpy and PyAV)")
    for workers in (1, min(2, os.cpu_count() or 1)):
        at, used = time.perf_counter(), processor()
        with ThreadPoolExecutor(workers) as pool:
            same = {one.wav for one in pool.map(voice.speak, [text] * TIMES)}
        wall, cpu = (time.perf_counter() - at) / TIMES, (processor() - used) / TIMES
        print(
            f"{workers} at once: {1000 * wall:.1f} ms a line, {1000 * cpu:.1f} ms processor, {len(same)} different WAV"
        )
    for word in spoken.words:
        print(f"{word.start:7.3f} {word.end:7.3f}  {word.text}")


if __name__ == "__main__":
    main()
