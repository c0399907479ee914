"""The soundtrack: narration on exact samples, music ducked under it, loudness made right on the finished file.

Loudness normalisers miss peaky voices (two-pass loudnorm came out 1 to 2 LU off), so what counts is measured on the
encoded file: the gain before a limiter is moved until it is where the settings want it. Speech is compressed gently
first; without that the limiter would have to do it all.
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
from mangavid.video.files import commit, disk
from mangavid.video.timeline import SAMPLE_RATE, Timeline

#: How far the finished file may be off (LU), how near is aimed at, and its highest true peak (dBTP).
TOLERANCE, NEAR_ENOUGH, TRUE_PEAK = 1.0, 0.4, -1.0
#: The limiter works on samples; true peaks between them, and AAC, may add about this much (dB).
HEADROOM = 1.2
#: The mix is made with the voice at this loudness; the duck's threshold fits it.
WORKING_LUFS = -20.0
ATTEMPTS = 6
BITRATE = "160k"
#: Below this nothing can be heard: ebur128 says -70 for silence.
INAUDIBLE = -60.0
FADE_IN, FADE_OUT = 1.5, 3.0
SILENCE_DB, SILENCE_SECONDS = -50, 3.0
#: Demuxers that music may come through: audio files, none that names further files.
MUSIC_FORMATS = "wav,w64,aiff,mp3,flac,ogg,aac,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf"
#: The same bytes every time.
_EXACT: dict[str, Any] = {"fflags": "+bitexact", "flags:a": "+bitexact", "map_metadata": -1}


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
    with disk(out), TemporaryDirectory(prefix="sound-", dir=out.parent) as folder:
        work = Path(folder)
        narration, mixed, part = work / "narration.wav", work / "mix.wav", work / "soundtrack.m4a"
        write_narration(timeline, wav_files, narration)
        mix = _mix(timeline, narration, _music_file(settings, work), settings, limit)
        target = mix.filter("ebur128", framelog="quiet").output(
            ffmpeg.source(mixed), format="wav", acodec="pcm_f32le", **_EXACT
        )
        found = _parse(ffmpeg.run(target, seconds=limit, what="mixing the sound"))
        measured = _master(timeline, mixed, found, settings, part, limit)
        faults.point("soundtrack.before_rename")
        commit(part, out)
    return measured


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


def _mix(timeline: Timeline, narration: Path, music: Path | None, settings: config.Video, limit: float) -> Any:
    """Voice at the working loudness, music at its level below that and lower while the voice is heard."""
    import ffmpeg as builder

    voice = _stereo(_input(narration)["a:0"])
    raw = _loudness_of(voice, limit, "the narration")
    if raw.audible:
        voice = voice.filter("acompressor", threshold=_linear(raw.lufs + 2), ratio=3, attack=5, release=150, knee=4)
        voice = _gain(voice, WORKING_LUFS - _loudness_of(voice, limit, "the narration").lufs)
    if music is None:
        return voice
    found = _loudness_of(_stereo(_input(music, t=180)["a:0"]), limit, "the music")
    if not found.audible:
        return voice
    seconds = timeline.seconds
    # A second longer than needed: how much of its last frames sidechaincompress still gives out depends on timing.
    bed = _stereo(_input(music, stream_loop=-1)["a:0"]).filter("atrim", end_sample=timeline.samples + SAMPLE_RATE)
    bed = _gain(bed, WORKING_LUFS + settings.music_level - found.lufs)
    bed = bed.filter("afade", type="in", duration=min(FADE_IN, seconds / 4))
    bed = bed.filter("afade", type="out", start_time=max(0.0, seconds - FADE_OUT), duration=min(FADE_OUT, seconds))
    voices = voice.filter("apad", pad_len=SAMPLE_RATE).filter_multi_output("asplit")
    ducked = builder.filter([bed, voices[0]], "sidechaincompress", threshold=0.02, ratio=1.6, attack=30, release=600)
    both = builder.filter([voices[1], ducked], "amix", inputs=2, normalize=0, duration="longest")
    return both.filter("atrim", end_sample=timeline.samples)


def _stereo(stream: Any) -> Any:
    return stream.filter("aresample", SAMPLE_RATE).filter("aformat", channel_layouts="stereo", sample_fmts="fltp")


def _gain(stream: Any, decibels: float) -> Any:
    return stream.filter("volume", f"{decibels:.3f}dB")


def _linear(decibels: float) -> float:
    return round(min(1.0, max(0.001, 10 ** (decibels / 20))), 5)


def _input(path: Path, **options: Any) -> Any:
    import ffmpeg as builder

    return builder.input(ffmpeg.source(path), protocol_whitelist="file,pipe", format_whitelist=MUSIC_FORMATS, **options)


def _master(
    timeline: Timeline, mixed: Path, found: Measured, settings: config.Video, out: Path, limit: float
) -> Measured:
    """Encode with the gain that makes the loudness right, found by trying: first on samples, then on the file."""
    ceiling = TRUE_PEAK - HEADROOM
    gain = 0.0
    if found.audible:
        gain = _search_gain(mixed, settings.loudness, settings.loudness - found.lufs, ceiling, limit)
    for _ in range(ATTEMPTS):
        track = _limited(_input(mixed)["a:0"], gain, ceiling).filter("atrim", end_sample=timeline.samples)
        coding: dict[str, Any] = {"acodec": "aac", "audio_bitrate": BITRATE, "aac_coder": "fast", "ar": SAMPLE_RATE}
        target = track.output(ffmpeg.source(out), format="mp4", **coding, **_EXACT)
        ffmpeg.run(target, seconds=limit, what="encoding the sound")
        found = measure(out, seconds=limit)
        off, too_high = settings.loudness - found.lufs, found.true_peak - TRUE_PEAK
        if not found.audible or (abs(off) <= NEAR_ENOUGH and too_high <= 0):
            return found
        gain += off
        if too_high > 0:
            ceiling -= too_high + 0.1
    if abs(off) <= TOLERANCE and too_high <= 0:
        return found
    raise RenderError(
        f"the sound can't be brought to {settings.loudness:g} LUFS: it is at {found.lufs:g} with peaks of"
        f" {found.true_peak:g} dBTP",
        hint="set video.loudness lower, -16 for instance",
    )


def _search_gain(mixed: Path, wanted: float, gain: float, ceiling: float, limit: float) -> float:
    """The gain before the limiter that gives the wanted loudness after it: secant steps, as it gives way slowly."""
    slope, last = 0.9, None
    for _ in range(ATTEMPTS):
        lufs = _loudness_of(_limited(_input(mixed)["a:0"], gain, ceiling), limit, "the sound").lufs
        if abs(wanted - lufs) < NEAR_ENOUGH / 2:
            break
        if last is not None and gain != last[0]:
            slope = min(1.0, max(0.3, (lufs - last[1]) / (gain - last[0])))
        last = gain, lufs
        gain += (wanted - lufs) / slope
    return gain


def _limited(stream: Any, gain: float, ceiling: float) -> Any:
    limit = _linear(ceiling)
    return _gain(stream, gain).filter("alimiter", limit=limit, attack=3, release=60, level=0, latency=1)


def measure(path: Path, *, seconds: float) -> Measured:
    """Loudness, true peak and silences of a file, by one pass of ffmpeg. Raises RenderError."""
    stream = _input(path)["a:0"].filter("silencedetect", noise=f"{SILENCE_DB}dB", duration=SILENCE_SECONDS)
    stream = stream.filter("ebur128", peak="true", framelog="quiet").output("-", format="null")
    return _parse(ffmpeg.run(stream, seconds=seconds, what="measuring the sound"))


def _loudness_of(stream: Any, seconds: float, what: str) -> Measured:
    """Loudness alone: true peaks take twice the time."""
    stream = stream.filter("ebur128", framelog="quiet").output("-", format="null")
    return _parse(ffmpeg.run(stream, seconds=seconds, what=f"measuring {what}"))


def _parse(text: str) -> Measured:
    """What ebur128 and silencedetect wrote to stderr. Both levels of digital silence come out as -100."""
    summary = text[text.rfind("Summary:") :]
    lufs = re.search(r"\bI:\s+(-?[\d.]+|-inf|nan) LUFS", summary)
    if lufs is None:
        raise RenderError(f"ffmpeg measured no loudness: {ffmpeg.last_line(text)}")
    top = re.search(r"\bPeak:\s+(-?[\d.]+|-inf|nan) dBFS", summary)
    starts = [float(at) for at in re.findall(r"silence_start: (-?[\d.]+)", text)]
    ends = [float(at) for at in re.findall(r"silence_end: (-?[\d.]+)", text)]
    return Measured(
        lufs=_decibel(lufs[1]),
        true_peak=_decibel(top[1]) if top else -100.0,
        silences=tuple(zip(starts, ends, strict=True)),
    )


def _decibel(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else -100.0
