"""The soundtrack: exact samples, the wanted loudness on the finished file, and an ffmpeg that can't be misled."""

from __future__ import annotations

import math
import sys
import wave
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest

from mangavid import config
from mangavid.errors import ConfigError, RenderError, StorageFull
from mangavid.video import ffmpeg, music, sound, timeline
from tests.videos import RATE, SMALL, Made, drawing, made, write_voice, write_wav


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("voices")
    return made(folder, [drawing(100, 80, seed=n) for n in range(4)], texts=["Một.", "", "Hai.", "Ba."], seconds=1.7)


def make(chapter: Made, settings: config.Video, out: Path) -> sound.Measured:
    return sound.make_soundtrack(chapter.plan(settings), chapter.voices, settings, out)


def samples_of(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    with av.open(str(path)) as file:
        return np.concatenate([frame.to_ndarray() for frame in file.decode(audio=0)], axis=1)


@pytest.mark.parametrize(("loudness", "kind"), [(-14.0, "auto"), (-14.0, "none"), (-23.0, "auto"), (-16.0, "none")])
def test_the_finished_file_is_as_loud_as_wanted(chapter: Made, tmp_path: Path, loudness: float, kind: str) -> None:
    settings = msgspec.structs.replace(SMALL, loudness=loudness, music=kind)
    measured = make(chapter, settings, tmp_path / "s.m4a")
    assert abs(measured.lufs - loudness) <= 0.5
    assert measured.true_peak <= -1.0
    again = sound.measure(tmp_path / "s.m4a", seconds=60)
    assert again == measured


@pytest.mark.parametrize("fps", [24, 25, 30, 60])
def test_the_sound_lasts_exactly_as_long_as_the_picture(chapter: Made, tmp_path: Path, fps: int) -> None:
    settings = config.Video(**{**msgspec.structs.asdict(SMALL), "fps": fps, "music": "auto"})
    make(chapter, settings, tmp_path / "s.m4a")
    with av.open(str(tmp_path / "s.m4a")) as file:
        stream = file.streams.audio[0]
        assert stream.duration is not None and stream.time_base is not None
        assert round(stream.duration * stream.time_base * RATE) == chapter.plan(settings).samples
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("aac", 48000, 2)


def test_voices_stand_in_the_narration_at_their_very_samples(chapter: Made, tmp_path: Path) -> None:
    plan = chapter.plan()
    sound.write_narration(plan, chapter.voices, tmp_path / "n.wav")
    with wave.open(str(tmp_path / "n.wav")) as file:
        assert file.getparams()[:4] == (1, 2, RATE, plan.samples)
        track = np.frombuffer(file.readframes(plan.samples), "<i2")
    silent = np.ones(plan.samples, bool)
    for segment in plan.segments:
        if segment.voice_key:
            with wave.open(str(chapter.voices[segment.scene])) as file:
                voice = np.frombuffer(file.readframes(RATE * 9), "<i2")
            here = slice(segment.voice_at, segment.voice_at + segment.voice_samples)
            assert np.array_equal(track[here], voice)
            silent[here] = False
    assert not track[silent].any()


def test_the_same_soundtrack_is_the_same_bytes(chapter: Made, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(SMALL, music="auto")
    for name in ("a.m4a", "b.m4a"):
        make(chapter, settings, tmp_path / name)
    assert (tmp_path / "a.m4a").read_bytes() == (tmp_path / "b.m4a").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.m4a", "b.m4a"]


def rms(track: np.ndarray[tuple[int, ...], np.dtype[np.float32]], start: float, end: float) -> float:
    """Level of a stretch, in dB."""
    part = track[:, round(start * RATE) : round(end * RATE)]
    return float(10 * np.log10(np.mean(part**2) + 1e-12))


def test_music_is_heard_between_voices_lower_than_they_are_and_lower_still_under_them(tmp_path: Path) -> None:
    """A steady tone as music, so that its level under a voice in another band can be told."""
    t = np.arange(3 * RATE) / RATE
    write_wav(tmp_path / "tone.wav", (np.sin(math.tau * 6000 * t) * 9000).astype("<i2"))
    quiet = made(tmp_path, [drawing(90, 90)] * 3, texts=["Một hai ba bốn.", "", "Năm."], seconds=6.0)
    settings = msgspec.structs.replace(SMALL, music=str(tmp_path / "tone.wav"), music_level=-18.0, min_panel=6.0)
    plan = quiet.plan(settings)
    make(quiet, settings, tmp_path / "s.m4a")
    track = samples_of(tmp_path / "s.m4a")
    voice_end = (plan.segments[0].voice_at + plan.segments[0].voice_samples) / RATE
    assert rms(track, 2, 4) - rms(track, voice_end + 2, voice_end + 5) > 10

    def tone(start: float, end: float) -> float:
        part = track[0, round(start * RATE) : round(end * RATE)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)))) / len(part)
        at = round(6000 * len(part) / RATE)
        return float(20 * np.log10(spectrum[at - 3 : at + 4].max()))

    assert tone(voice_end + 2, voice_end + 5) - tone(2, 5) > 2
    assert tone(0.0, 0.2) < tone(2, 5)  # faded in
    assert tone(plan.seconds - 0.3, plan.seconds) < tone(voice_end + 2, voice_end + 5) - 6  # faded out


def test_a_chapter_without_voice_has_its_music_at_the_wanted_loudness(tmp_path: Path) -> None:
    mute = made(tmp_path, [drawing(90, 90)] * 2, texts=["", ""])
    settings = msgspec.structs.replace(SMALL, music="auto", min_panel=4.0)
    assert abs(make(mute, settings, tmp_path / "s.m4a").lufs + 14) <= 0.5


def test_a_chapter_without_any_sound_comes_out_silent(tmp_path: Path) -> None:
    mute = made(tmp_path, [drawing(90, 90)] * 2, texts=["", ""])
    settings = msgspec.structs.replace(SMALL, min_panel=4.0)
    measured = make(mute, settings, tmp_path / "s.m4a")
    assert not measured.audible
    assert len(measured.silences) == 1 and measured.silences[0][1] == pytest.approx(9.0, abs=0.1)


def test_very_peaky_speech_still_gets_there(tmp_path: Path) -> None:
    peaky = made(tmp_path, [drawing(90, 90)] * 2, seconds=3.0)
    for path in peaky.voices.values():
        noise = np.random.default_rng(1).normal(0, 300, 3 * RATE)
        noise[:: RATE // 12] = 32000
        write_wav(path, np.clip(noise, -32768, 32767).astype("<i2"))
    measured = make(peaky, SMALL, tmp_path / "s.m4a")
    assert abs(measured.lufs + 14) <= 1 and measured.true_peak <= -1


@pytest.mark.parametrize("name", ["-y.wav", "concat:a|b.wav", "nhạc 'nền'; [x].wav", "%d.wav"])
def test_a_music_file_may_have_any_name(
    chapter: Made, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_voice(tmp_path / name, 2 * RATE)
    monkeypatch.chdir(tmp_path)
    settings = msgspec.structs.replace(SMALL, music=name)
    assert make(chapter, settings, tmp_path / "s.m4a").audible


def test_a_music_file_that_is_missing_is_a_wrong_setting(chapter: Made, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(SMALL, music="/nowhere/a.mp3")
    with pytest.raises(ConfigError, match=r"video\.music: there is no file /nowhere/a\.mp3"):
        make(chapter, settings, tmp_path / "s.m4a")


@pytest.mark.parametrize(
    "content",
    [b"not music", b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", b"ffconcat version 1.0\nfile '/etc/passwd'\n"],
)
def test_what_is_no_audio_file_is_refused_also_where_it_names_others(
    chapter: Made, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "music.mp3").write_bytes(content * 50)
    settings = msgspec.structs.replace(SMALL, music=str(tmp_path / "music.mp3"))
    with pytest.raises(RenderError, match="the music"):
        make(chapter, settings, tmp_path / "s.m4a")
    assert not (tmp_path / "s.m4a").exists()


def test_speech_that_is_missing_or_of_another_shape_is_named(chapter: Made, tmp_path: Path) -> None:
    plan = chapter.plan()
    out = tmp_path / "s.m4a"
    with pytest.raises(RenderError, match="the speech of scene 1 is missing"):
        sound.make_soundtrack(plan, {}, SMALL, out)
    short = {**chapter.voices, 2: tmp_path / "short.wav"}
    write_voice(short[2], 100)
    with pytest.raises(RenderError, match=r"the speech of scene 3 \(short.wav\) has .* 100 samples"):
        sound.make_soundtrack(plan, short, SMALL, out)
    short[2].write_bytes(b"RIFFxxxx")
    with pytest.raises(RenderError, match=r"the speech of scene 3 \(short.wav\) can't be read"):
        sound.make_soundtrack(plan, short, SMALL, out)


def test_a_loudness_that_can_not_be_had_is_said(tmp_path: Path) -> None:
    """One click in a minute of silence can't be made loud without being over its peak."""
    click = made(tmp_path, [drawing(90, 90)], seconds=3.0)
    samples = np.zeros(3 * RATE, np.int16)
    samples[RATE] = 32000
    write_wav(click.voices[0], samples)
    settings = msgspec.structs.replace(SMALL, loudness=-8.0)
    with pytest.raises(RenderError, match="can't be brought to -8 LUFS") as caught:
        make(click, settings, tmp_path / "s.m4a")
    assert "video.loudness" in caught.value.hint


# --- running ffmpeg -------------------------------------------------------------------------------------------------


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def test_a_hung_ffmpeg_is_stopped() -> None:
    with pytest.raises(RenderError, match="mixing: ffmpeg did nothing useful for 1 s and was stopped"):
        ffmpeg.execute(python("import time; time.sleep(60)"), seconds=0.6, what="mixing")


def test_a_failing_ffmpeg_is_quoted_by_its_last_meaningful_line() -> None:
    program = "import sys; sys.exit('[wav @ 0x55] invalid header\\nConversion failed!')"
    with pytest.raises(RenderError, match=r"mixing: ffmpeg ended with exit code 1: invalid header$"):
        ffmpeg.execute(python(program), seconds=20, what="mixing")
    with pytest.raises(RenderError, match="exit code -9: it said nothing"):
        ffmpeg.execute(python("import os; os.kill(os.getpid(), 9)"), seconds=20, what="mixing")


def test_a_full_disk_under_ffmpeg_is_told_as_such() -> None:
    program = "import sys; sys.exit('av_interleaved_write_frame(): No space left on device')"
    with pytest.raises(StorageFull, match="No space left"):
        ffmpeg.execute(python(program), seconds=20, what="mixing")


# --- the bed --------------------------------------------------------------------------------------------------------


def test_the_bed_loops_without_a_seam_and_is_the_same_every_time(tmp_path: Path) -> None:
    loop = music.bed()
    assert loop.shape == (24 * music.RATE, 2)
    assert np.abs(loop).max() == pytest.approx(0.5, abs=1e-3)
    inside = np.abs(np.diff(loop, axis=0)).max()
    assert np.abs(loop[0] - loop[-1]).max() <= inside
    assert np.array_equal(loop, music.bed())
    levels = [float(np.sqrt((part**2).mean())) for part in np.split(loop, 24)]
    assert min(levels) > max(levels) / 4  # never silent, no bursts


def test_silences_over_a_voice_are_seen_by_the_measuring_pass(tmp_path: Path) -> None:
    samples = np.zeros(8 * RATE, np.int16)
    samples[: 2 * RATE] = samples[6 * RATE :] = (np.sin(np.arange(2 * RATE) / 9) * 8000).astype("<i2")
    write_wav(tmp_path / "x.wav", samples)
    ((start, end),) = sound.measure(tmp_path / "x.wav", seconds=20).silences
    assert (start, end) == (pytest.approx(2.0, abs=0.05), pytest.approx(6.0, abs=0.05))
    assert timeline.SAMPLE_RATE == RATE
