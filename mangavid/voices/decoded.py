"""What a service sends, to samples: WAV, MP3, Ogg, FLAC or bare PCM to 48 kHz mono.

The bytes come from outside: the container is chosen by their first bytes and named to the decoder, so that no other
demuxer ever looks at them, and the decoding ends at a length.
"""

from __future__ import annotations

import io

import av  # noqa: TID253  this file exists for the decoding, and is itself imported lazily
import numpy as np  # noqa: TID253

from mangavid.voices.checked import Unfit
from mangavid.voices.sound import RATE, Samples, resample

#: Sizes that streaming servers write into a WAV's header because they don't know it yet.
_UNKNOWN = 0x7FFF_0000


def container(data: bytes) -> str:
    """The demuxer for these bytes; empty where they are no audio that is known."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    if data[:4] == b"OggS":
        return "ogg"
    if data[:4] == b"fLaC":
        return "flac"
    mpeg = len(data) > 2 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0
    return "mp3" if data[:3] == b"ID3" or mpeg else ""


def decode(data: bytes, *, most: float, constant: bool = False) -> Samples:
    """48 kHz mono samples. Raises Unfit where it is no audio, broken, cut off, or longer than ``most`` seconds.

    ``constant``: every second has the same number of bytes, so that bytes a decoder leaves out show.
    """
    kind = container(data)
    if not kind:
        raise Unfit("what came is no audio")
    if kind == "wav" and (missing := _missing(data)):
        raise Unfit(f"the audio was cut off ({missing:,} bytes are missing)")
    seconds, expected = 0.0, 0.0
    try:
        with av.open(io.BytesIO(data), "r", format=kind) as file:
            whole = av.AudioFifo()  # converted at once: an MP3's frames are tiny
            for frame in file.decode(audio=0):
                frame.pts = None
                whole.write(frame)
                seconds += frame.samples / (frame.sample_rate or 1)
                if seconds > most:
                    raise Unfit(f"the audio is longer than {most:.0f} s")
            if constant and (bit_rate := file.streams.audio[0].codec_context.bit_rate):
                expected = len(data) * 8 / bit_rate
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            frames = [*resampler.resample(whole.read()), *resampler.resample(None)] if seconds else []
            parts = [part.to_ndarray()[0] for part in frames]
    except (av.error.FFmpegError, ValueError, IndexError) as problem:
        raise Unfit("the audio can't be decoded") from problem
    if constant and abs(expected - seconds) > 0.1:
        raise Unfit(f"the audio has holes: {seconds:.2f} s where its bytes are {expected:.2f} s")
    return np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, np.int16)


def pcm(data: bytes, rate: int, *, most: float) -> Samples:
    """Bare little-endian 16-bit mono samples. Raises Unfit."""
    if not 8_000 <= rate <= 192_000:
        raise Unfit(f"the audio has {rate} samples a second")
    if len(data) > 2 * rate * most:
        raise Unfit(f"the audio is longer than {most:.0f} s")
    samples = np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.int16)
    return resample(samples, rate)


def _missing(data: bytes) -> int:
    """Bytes that a WAV's header promises and that are not there."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if data[at : at + 4] == b"data":
            return max(0, at + 8 + size - len(data)) if size < _UNKNOWN else 0
        at += 8 + size + size % 2
    return 1
