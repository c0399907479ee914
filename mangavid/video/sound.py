"""The soundtrack: narration on exact samples, music ducked under it, loudness made right on the finished file.

Loudness normalisers miss peaky voices (two-pass loudnorm came out 1 to 2 LU off), so what counts is measured on the
encoded file: the gain before a compressor and limiter is moved until it is where the settings want it.
"""

from __future__ import annotations

import math
import re
import wave
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mangavid import config, faults
from mangavid.errors import ConfigError, RenderError
from mangavid.models import Struct
from mangavid.video import ffmpeg
from mangavid.video.timeline import SAMPLE_RATE, Timeline

#: How near the finished file has to come to the wanted loudness (LU), and what its true peak may be (dBTP).
TOLERANCE, NEAR_ENOUGH, TRUE_PEAK = 1.0, 0.4, -1.0
#: The mix is made at this loudness, where compressor and limiter are set up for it.
WORKING_LUFS = -20.0
ATTEMPTS = 6
BITRATE = "160k"
#: Below this nothing can be heard: ebur128 says -70 for silence.
INAUDIBLE = -60.0
FADE_IN, FADE_OUT = 1.5, 3.0
SILENCE_DB, SILENCE_SECONDS = -50, 3.0
#: Demuxers that music may come through: audio files, none that names further files.
MUSIC_FORMATS = "wav,w64,aiff,mp3,flac,ogg,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf"


class Measured(Struct, frozen=True):
    """What ebur128 and silencedetect found in a file: LUFS, dBTP, and stretches of silence as (start, end) seconds."""

    lufs: float
    true_peak: float
    silences: tuple[tuple[float, float], ...] = ()

    @property
    def audible(self) -> bool:
        return self.lufs > INAUDIBLE


def make_soundtrack(timeline: Timeline, wav_files: Mapping[int, Path], settings: config.Video, out: Path) -> Measured:
    """Make ``out`` (an .m4a: AAC, 48 kHz, stereo, exactly as long as the timeline) and return what was measured on it.

    ``wav_files`` are the scenes' WAVs by scene index. The loudness is within 1 LU of the settings', the true peak at
    most -1 dBTP. A chapter in which nothing is heard at all comes out silent, and measured so. Raises RenderError,
    ConfigError (music file), StorageFull.
    """
    limit = 60 + 2 * timeline.seconds
    with TemporaryDirectory(prefix="sound-", dir=out.parent) as folder:
        work = Path(folder)
        narration, mixed = work / "narration.wav", work / "mix.wav"
        write_narration(timeline, wav_files, narration)
        voice = measure(narration, seconds=limit, mono=True)
        music = _music_file(settings, work)
        stream = _mix(timeline, narration, voice, music, settings, limit)
        ffmpeg.run(
            stream.output(ffmpeg.source(mixed), format="wav", acodec="pcm_f32le", **_EXACT),
            seconds=limit,
            what="mixing the sound",
        )
        part = work / "soundtrack.m4a"
        measured = _master(timeline, mixed, settings, part, limit)
        faults.point("soundtrack.before_rename")
        from mangavid.video.encoder import commit

        commit(part, out)
    return measured


#: The same bytes every time.
_EXACT: dict[str, Any] = {"fflags": "+bitexact", "flags:a": "+bitexact", "map_metadata": -1}


def write_narration(timeline: Timeline, wav_files: Mapping[int, Path], out: Path) -> None:
    """All voices at their samples in one WAV (48 kHz, mono, 16 bits) of exactly the timeline's length."""
    with wave.open(str(out), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        at = 0
        for segment in timeline.segments:
            if not segment.voice_key:
                continue
            if segment.scene not in wav_files:
                raise RenderError(f"the speech of scene {segment.scene + 1} is missing")
            samples = _read_wav(wav_files[segment.scene], segment.scene, segment.voice_samples)
            _silence(file, segment.voice_at - at)
            file.writeframesraw(samples)
            at = segment.voice_at + segment.voice_samples
        _silence(file, timeline.samples - at)


def _silence(file: wave.Wave_write, samples: int) -> None:
    for done in range(0, samples, SAMPLE_RATE):
        file.writeframesraw(bytes(2 * min(SAMPLE_RATE, samples - done)))


def _read_wav(path: Path, scene: int, samples: int) -> bytes:
    where = f"the speech of scene {scene + 1} ({path.name})"
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
            data = file.readframes(samples)
    except (OSError, EOFError, wave.Error) as problem:
        raise RenderError(f"{where} can't be read: {problem}") from problem
    if shape != (1, 2, SAMPLE_RATE, samples) or len(data) != 2 * samples:
        raise RenderError(
            f"{where} has {shape[0]} channels of {8 * shape[1]} bits, {shape[2]} samples a second, {shape[3]} samples;"
            f" wanted: 1, 16, {SAMPLE_RATE}, {samples}"
        )
    return data


def _music_file(settings: config.Video, work: Path) -> Path | None:
    if settings.music == "none":
        return None
    if settings.music == "auto":
        from mangavid.video import music

        bed = work / "bed.wav"
        music.write_bed(bed)
        return bed
    path = Path(settings.music).expanduser()
    if not path.is_file():
        raise ConfigError(
            f"video.music: there is no file {settings.music}", hint="give the path of an audio file, or auto, or none"
        )
    return path


def _mix(
    timeline: Timeline, narration: Path, voice: Measured, music: Path | None, settings: config.Video, limit: float
) -> Any:
    """Voice at the working loudness, music at its level below that and lower while the voice is heard."""
    spoken = _input(narration).audio.filter("aformat", channel_layouts="stereo")
    if voice.audible:
        spoken = spoken.filter("volume", f"{WORKING_LUFS - voice.lufs:.2f}dB")
    if music is None:
        return spoken
    found = measure(music, seconds=limit, most=180.0, what="the music")
    if not found.audible:
        return spoken
    import ffmpeg as builder

    gain = WORKING_LUFS + settings.music_level - found.lufs
    seconds = timeline.seconds
    bed = (
        _input(music, stream_loop=-1)["a:0"]
        .filter("aresample", SAMPLE_RATE)
        .filter("aformat", channel_layouts="stereo", sample_fmts="fltp")
        .filter("atrim", end_sample=timeline.samples)
        .filter("volume", f"{gain:.2f}dB")
        .filter("afade", type="in", duration=min(FADE_IN, seconds / 4))
        .filter("afade", type="out", start_time=max(0.0, seconds - FADE_OUT), duration=min(FADE_OUT, seconds))
    )
    voices = spoken.filter_multi_output("asplit")
    ducked = builder.filter([bed, voices[0]], "sidechaincompress", threshold=0.02, ratio=2.5, attack=30, release=600)
    return builder.filter([voices[1], ducked], "amix", inputs=2, normalize=0, duration="first")


def _input(path: Path, **options: Any) -> Any:
    import ffmpeg as builder

    return builder.input(ffmpeg.source(path), protocol_whitelist="file,pipe", format_whitelist=MUSIC_FORMATS, **options)


def _master(timeline: Timeline, mixed: Path, settings: config.Video, out: Path, limit: float) -> Measured:
    """Encode with the gain that makes the loudness right, found by trying: first on samples, then on the file."""
    found = measure(mixed, seconds=limit)
    gain, ceiling = settings.loudness - found.lufs if found.audible else 0.0, TRUE_PEAK - 1.2
    if found.audible:
        for _ in range(ATTEMPTS):
            step = settings.loudness - _measured_after(mixed, gain, ceiling, limit).lufs
            gain += step
            if abs(step) < NEAR_ENOUGH / 2:
                break
    for _ in range(ATTEMPTS):
        track = _mastered(_input(mixed).audio, gain, ceiling).filter("atrim", end_sample=timeline.samples)
        coding: dict[str, Any] = {"acodec": "aac", "audio_bitrate": BITRATE, "aac_coder": "fast", "ar": SAMPLE_RATE}
        ffmpeg.run(
            track.output(ffmpeg.source(out), format="mp4", **coding, **_EXACT), seconds=limit, what="encoding the sound"
        )
        found = measure(out, seconds=limit)
        if not found.audible:
            return found
        too_high = found.true_peak - TRUE_PEAK
        off = settings.loudness - found.lufs
        if too_high <= 0 and abs(off) <= NEAR_ENOUGH:
            return found
        ceiling -= max(0.0, too_high + 0.1) if too_high > 0 else 0.0
        gain += off
    if abs(off) <= TOLERANCE and too_high <= 0:
        return found
    raise RenderError(
        f"the sound can't be brought to {settings.loudness:g} LUFS: it is at {found.lufs:g} with peaks of"
        f" {found.true_peak:g} dBTP",
        hint="set video.loudness lower, -16 for instance",
    )


def _mastered(stream: Any, gain: float, ceiling: float) -> Any:
    """Gain into a gentle compressor (speech is peaky: without it the limiter would have to do it all) and a limiter."""
    return (
        stream.filter("volume", f"{gain:.3f}dB")
        .filter("acompressor", threshold=0.18, ratio=3, attack=5, release=150, knee=4)
        .filter("alimiter", limit=round(10 ** (ceiling / 20), 5), attack=3, release=60, level=0, latency=1)
    )


def _measured_after(path: Path, gain: float, ceiling: float, limit: float) -> Measured:
    return _measure(_mastered(_input(path).audio, gain, ceiling), limit, "measuring the sound", peak="none")


def measure(
    path: Path, *, seconds: float, mono: bool = False, most: float | None = None, what: str = "the sound"
) -> Measured:
    """Loudness, true peak and silences of a file (its first ``most`` seconds), by one pass of ffmpeg.

    A mono file is measured as it sounds from two speakers. Raises RenderError.
    """
    stream = _input(path, **({"t": most} if most else {}))["a:0"]
    if mono:
        stream = stream.filter("aformat", channel_layouts="stereo")
    stream = stream.filter("silencedetect", noise=f"{SILENCE_DB}dB", duration=SILENCE_SECONDS)
    return _measure(stream, seconds, f"measuring {what}", peak="true")


def _measure(stream: Any, seconds: float, what: str, *, peak: str) -> Measured:
    text = ffmpeg.run(
        stream.filter("ebur128", peak=peak, framelog="quiet").output("-", format="null"), seconds=seconds, what=what
    )
    summary = text[text.rfind("Summary:") :]
    lufs = re.search(r"\bI:\s+(-?[\d.]+|-inf|nan) LUFS", summary)
    if lufs is None:
        raise RenderError(f"{what}: ffmpeg measured nothing: {ffmpeg.last_line(text)}")
    top = re.search(r"\bPeak:\s+(-?[\d.]+|-inf|nan) dBFS", summary)
    starts = [float(at) for at in re.findall(r"silence_start: (-?[\d.]+)", text)]
    ends = [float(at) for at in re.findall(r"silence_end: (-?[\d.]+)", text)]
    return Measured(
        lufs=_decibel(lufs[1]),
        true_peak=_decibel(top[1]) if top else 0.0,
        silences=tuple(zip(starts, ends, strict=False)),
    )


def _decibel(text: str) -> float:
    """A level; digital silence is -100, as JSON has no infinity."""
    value = float(text)
    return value if math.isfinite(value) else -100.0
