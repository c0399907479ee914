"""Edge TTS: Microsoft's neural voices, through the service that the Edge browser reads pages aloud with.

It is nobody's promise: the package edge-tts speaks the browser's protocol, the service changes it every few months, and
turns away addresses of data centres as it likes. So one line is asked for at a time, nothing that comes is believed
unseen, and an engine that fails for good says so at once for every further line (``states.ttsgen`` then lets the next
engine speak the whole video).
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import Callable
from contextlib import aclosing
from importlib import metadata
from itertools import pairwise
from typing import Any

from mangavid import config
from mangavid.errors import ConfigError, MangavidError, TtsFailed, TtsUnavailable
from mangavid.ports import Clock, Utterance
from mangavid.voices import align, reading
from mangavid.voices.retrying import Again, once_more, seconds_of, shown, tried
from mangavid.voices.spoken import Token, speakable

#: Longest text that is spoken in one go, in characters: some ten minutes.
LONGEST = 10_000
#: Syllables a minute at +0%, roughly; lengths may differ from it by a factor of three.
PACE = 210.0
_BYTES_A_SECOND = 6_000  # 48 kbit/s, always
_MOST_EVENTS = 20_000
_TICKS = 10_000_000
#: The clock may differ from the service's by so many seconds: its tokens hold for five minutes.
_SKEW = 300
_VOICE_HINT = "edge.voice: `edge-tts --list-voices` lists the voices"
_UPDATE_HINT = "pip install -U edge-tts; the service turns away some networks, and cloud addresses above all"

Boundaries = list[tuple[str, float, float]]


class EdgeVoice:
    """Speaks with edge-tts, which is asked for one text at a time.

    ``key`` covers its version, the voice, rate, pitch, and our reading rules. MP3 comes some 25 to 50 ms late (the
    codec's delay), which is less than a caption shows.
    """

    #: One asks while what the other was sent is decoded, looked at and stored; they never both ask.
    at_once = 2

    def __init__(
        self,
        settings: config.Edge,
        *,
        clock: Clock,
        jitter: Callable[[], float] = random.random,
        timeout: float = 90.0,
        tries: int = 4,
    ) -> None:
        """``timeout``: seconds one try may take in all. Raises TtsUnavailable where edge-tts is not installed."""
        version = _version()
        self._settings = settings
        self._clock = clock
        self._jitter = jitter
        self._timeout = timeout
        self._tries = tries
        self._language = "vi" if settings.voice.startswith("vi-") or "Multilingual" in settings.voice else "other"
        self._pace = PACE * max(0.25, 1 + int(settings.rate.rstrip("%")) / 100)
        self._lock = threading.Lock()
        self._given_up: MangavidError | None = None
        self.key = f"edge-{version}-{settings.voice}-{settings.rate}-{settings.pitch}-{reading.RULES}"

    def speak(self, text: str) -> Utterance:
        """See ``ports.Voice``. Where nothing can be said, nobody is asked: no samples and no words.

        Raises TtsFailed (too long), TtsUnavailable, ConfigError (no such voice can be). After either of the latter two
        every further text raises it at once.
        """
        return self._speak(text, self._tries)

    def probe(self) -> str:
        """One word, tried once: whether the service speaks to us. A sentence to show; raises as ``speak``."""
        started = self._clock.monotonic()
        self._speak("Chào.", 1)
        return f"{self._settings.voice} spoke within {self._clock.monotonic() - started:.1f} s"

    def _speak(self, text: str, tries: int) -> Utterance:
        tokens = reading.tokens(text, self._language)
        if not speakable(tokens):
            return Utterance(wav=b"", samples=0, words=())
        said = align.line(tokens)
        if len(said.text) > LONGEST:
            raise TtsFailed(
                f"Edge TTS could not speak «{shown(text, 60)}»: it is {len(said.text):,} characters long,"
                f" more than {LONGEST:,}"
            )

        def once() -> Utterance:
            """The lock is held, and stays so where this raises: nobody asks while the next try is waited for."""
            if self._given_up is not None:  # by the other thread, while this one looked at what came
                raise once_more(self._given_up)
            came = self._ask(said.text, self._most_bytes(said))
            self._lock.release()
            try:
                return self._looked_at(tokens, said, *came)
            except BaseException:
                self._lock.acquire()
                raise

        self._lock.acquire()  # the service drops or turns away who asks for several at once
        try:
            return self._tried(once, text, tries)
        except BaseException:
            self._lock.release()
            raise

    def _tried(self, once: Callable[[], Utterance], text: str, tries: int) -> Utterance:
        try:
            return tried(once, clock=self._clock, jitter=self._jitter, tries=tries)
        except Again as problem:
            often = "once" if tries == 1 else f"{tries} times"
            message = f"Edge TTS did not speak «{shown(text, 60)}», tried {often}: {problem}"
            self._given_up = TtsUnavailable(message, hint=problem.hint or _UPDATE_HINT)
        except (TtsUnavailable, ConfigError) as problem:
            self._given_up = problem
        raise self._given_up

    def _most_bytes(self, said: align.Line) -> int:
        from mangavid.voices import checked

        return round(checked.longest(said.text, self._pace) * _BYTES_A_SECOND)

    def _looked_at(self, tokens: tuple[Token, ...], said: align.Line, mp3: bytes, heard: Boundaries) -> Utterance:
        """What came, if it is to be believed. Raises Again."""
        from mangavid.voices import checked, decoded

        try:
            if decoded.container(mp3) != "mp3":
                raise checked.Unfit("what came is no MP3")
            most = checked.longest(said.text, self._pace)
            samples = decoded.decode(mp3, most=most + 1.0, constant=True)
            events, end = _believed(said, heard, len(samples) / 48_000)
            return checked.utterance(samples, tokens, said, words_per_minute=self._pace, events=events, end=end)
        except checked.Unfit as problem:
            raise Again(str(problem)) from problem

    def _ask(self, text: str, most_bytes: int) -> tuple[bytes, Boundaries]:
        """MP3 and word boundaries as they came."""
        import aiohttp
        from edge_tts import Communicate, exceptions

        self._point_at_endpoint()
        settings = self._settings
        try:
            communicate = Communicate(
                text,
                settings.voice,
                rate=settings.rate,
                pitch=settings.pitch,
                boundary="WordBoundary",
                connect_timeout=max(1, math.ceil(min(10.0, self._timeout))),
                receive_timeout=max(1, math.ceil(self._timeout)),
            )
        except ValueError as problem:
            raise ConfigError(f"Edge TTS takes no such voice: {shown(str(problem), 120)}", hint=_VOICE_HINT) from None
        try:
            return asyncio.run(self._collect(communicate, most_bytes))
        except exceptions.NoAudioReceived:
            raise Again(f"no audio was received for the voice {settings.voice}", hint=_VOICE_HINT) from None
        except exceptions.SkewAdjustmentError:
            raise Again("the service refused (403) and did not say its time") from None
        except exceptions.EdgeTTSException as problem:
            raise Again(f"its answer was not understood: {shown(str(problem), 120)}") from None
        except aiohttp.ClientResponseError as problem:
            raise _refused(problem) from None
        except TimeoutError:
            raise Again(f"it was not done after {self._timeout:g} s") from None
        except (aiohttp.ClientError, OSError) as problem:
            raise Again(f"the connection failed: {shown(str(problem) or type(problem).__name__, 160)}") from None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as problem:
            # edge-tts takes messages apart without looking whether they are what it expects.
            raise Again(f"its answer was not understood ({type(problem).__name__})") from None

    async def _collect(self, communicate: Any, most_bytes: int) -> tuple[bytes, Boundaries]:
        audio = bytearray()
        heard: Boundaries = []
        async with asyncio.timeout(self._timeout), aclosing(communicate.stream()) as messages:
            async for message in messages:
                if message["type"] == "audio":
                    audio += message["data"]
                else:
                    start = message["offset"] / _TICKS
                    heard.append((str(message["text"]), start, start + message["duration"] / _TICKS))
                if len(audio) > most_bytes or len(heard) > _MOST_EVENTS:
                    raise Again("it sent far more than such a text can be")
        return bytes(audio), heard

    def _point_at_endpoint(self) -> None:
        """edge-tts has its address in a module's variable, and puts ``&…`` behind it."""
        from edge_tts import communicate, constants

        module: Any = communicate
        where = self._settings.endpoint
        if where and "?" not in where:
            where = f"{where}?TrustedClientToken={constants.TRUSTED_CLIENT_TOKEN}"
        module.WSS_URL = where or constants.WSS_URL


def _version() -> str:
    try:
        return metadata.version("edge-tts")
    except metadata.PackageNotFoundError:  # not where only its code was packed, as on Lambda
        try:
            from edge_tts import __version__
        except ImportError:
            raise TtsUnavailable("edge-tts is not installed", hint="pip install edge-tts") from None
        return str(__version__)


def _believed(said: align.Line, heard: Boundaries, seconds: float) -> tuple[list[tuple[int, float]], float]:
    """Events and the end of the last word. Raises Unfit where the answer was cut off.

    A connection that dies in the middle raises nothing in edge-tts: audio and boundaries just end.
    """
    from mangavid.voices.checked import Unfit

    if not heard:
        raise Unfit("it was cut off: no word was reported")
    times = [time for _, start, end in heard for time in (start, end)]
    if not all(0.0 <= time < 36_000 for time in times) or any(end < start for _, start, end in heard):
        raise Unfit("its word times make no sense")
    starts = [start for _, start, _ in heard]
    # Also what a text of several requests looks like whose first was cut off: the second begins at 0 again.
    if any(after < before - 0.05 for before, after in pairwise(starts)):
        raise Unfit("its word times go backwards")
    places, share, rest = reading.find(said, [word for word, _, _ in heard])
    if share < 0.8 or rest > max(8, len(said.text) // 10):
        raise Unfit(f"it was cut off, or said something else: {share:.0%} of the text was reported")
    end = heard[-1][2]
    if end > seconds + 1.0 or seconds < end - 0.2:
        raise Unfit(f"it was cut off: {seconds:.2f} s of audio, the last word ends at {end:.2f} s")
    events = [(place, start) for place, start in zip(places, starts, strict=True) if place is not None]
    return events, end


def _refused(problem: Any) -> Exception:
    """A handshake that was answered with a status. edge-tts has set its clock and tried again once after a 403."""
    status = int(problem.status)
    if status == 403:
        from edge_tts.drm import DRM

        skew = DRM.clock_skew_seconds
        if abs(skew) > _SKEW:
            return Again(
                f"the service refused (403): this machine's clock is {abs(skew):.0f} s off",
                hint="set this machine's clock (timedatectl shows whether it is synchronised)",
            )
        return Again("the service refused (403): it turns this network away, or edge-tts is too old for it")
    if status < 400:
        return Again(f"the answer was {status}, no websocket: something between may answer in its place")
    if status in (408, 425, 429) or status >= 500:
        headers = problem.headers or {}
        return Again(f"the service answered {status}", after=seconds_of(headers.get("Retry-After")))
    return TtsUnavailable(f"Edge TTS is not where edge-tts looks for it: the answer was {status}", hint=_UPDATE_HINT)
