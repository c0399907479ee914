"""A speech server that speaks OpenAI's protocol (``POST /audio/speech``): OpenAI's own, or one of yours."""

from __future__ import annotations

import random
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mangavid import config, keys
from mangavid.errors import AuthError, ConfigError, MangavidError, TtsFailed, TtsUnavailable
from mangavid.ports import Clock, Utterance
from mangavid.voices import align, reading
from mangavid.voices.retrying import Again, once_more, seconds_of, shown, tried
from mangavid.voices.spoken import Token, speakable

if TYPE_CHECKING:
    from openai import OpenAI

#: Longest text in characters; OpenAI takes 4,096.
LONGEST = 4_000
#: Words a minute, roughly; lengths may differ from it by a factor of three.
PACE = 190.0
#: The most that such a text can weigh: 48 kHz, 16 bit, stereo, and a header.
_BYTES_A_SECOND = 192_000
_OPENAI = "https://api.openai.com/"
_KEY_HINT = "mangavid secrets set openai; for another server than the writer's: mangavid secrets set speech"
_SETTINGS_HINT = "speech.base_url, speech.model and speech.voice name what is asked for"
_NO_CREDIT = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))
#: Of a refused request: what its error says it was about, where that is a setting.
_OF_SETTINGS = frozenset(("model", "voice", "instructions", "response_format"))


class SpeechVoice:
    """Speaks with a server of OpenAI's protocol. It reports no times: words share what is between the pauses heard.

    ``key`` covers address, model, voice, instructions and our reading rules.
    """

    at_once = 2

    def __init__(
        self,
        settings: config.Speech,
        key: Callable[[], str],
        *,
        clock: Clock,
        language: str = "vi",
        jitter: Callable[[], float] = random.random,
        timeout: float = 90.0,
        tries: int = 4,
    ) -> None:
        """``key()`` gives the API key or raises AuthError, which matters only to OpenAI itself: a server of your own
        may ask for none. ``timeout``: seconds one try may take in all.
        """
        self._settings = settings
        self._secret = key
        self._clock = clock
        self._language = language
        self._jitter = jitter
        self._timeout = timeout
        self._tries = tries
        self._lock = threading.Lock()
        self._opened: OpenAI | None = None
        self._given_up: MangavidError | None = None
        asked = keys.digest(settings.base_url, settings.model, settings.voice, settings.instructions, language)
        named = "-".join(keys.slug(part, 40) for part in (settings.model, settings.voice))
        self.key = f"speech-{named}-{asked}-{reading.RULES}"

    def speak(self, text: str) -> Utterance:
        """See ``ports.Voice``. Where nothing can be said, nobody is asked: no samples and no words.

        Raises TtsFailed (too long, or refused for what it says), AuthError (no key, a wrong one, no credit),
        ConfigError (no such model or voice), TtsUnavailable. After any of the latter three every further text raises
        it at once.
        """
        return self._speak(text, self._tries)

    def probe(self) -> str:
        """One word, tried once: whether the server speaks to us. A sentence to show; raises as ``speak``."""
        started = self._clock.monotonic()
        self._speak("Chào.", 1)
        return f"{shown(self._settings.voice, 60)} spoke within {self._clock.monotonic() - started:.1f} s"

    def _speak(self, text: str, tries: int) -> Utterance:
        tokens = reading.tokens(text, self._language)
        if not speakable(tokens):
            return Utterance(wav=b"", samples=0, words=())
        said = align.line(tokens)
        if len(said.text) > LONGEST:
            raise _failed(text, f"it is {len(said.text):,} characters long, more than {LONGEST:,}")
        if self._given_up is not None:
            raise once_more(self._given_up)
        try:
            return tried(lambda: self._once(text, tokens, said), clock=self._clock, jitter=self._jitter, tries=tries)
        except Again as problem:
            often = "once" if tries == 1 else f"{tries} times"
            message = f"the speech server did not speak «{shown(text, 60)}», tried {often}: {problem}"
            self._given_up = TtsUnavailable(message)
        except (AuthError, ConfigError) as problem:
            self._given_up = problem
        raise self._given_up

    def _once(self, text: str, tokens: tuple[Token, ...], said: align.Line) -> Utterance:
        """One try. Raises Again, TtsFailed, AuthError, ConfigError."""
        from mangavid.voices import checked, decoded

        if self._given_up is not None:  # by the other thread, while this one waited for its next try
            raise once_more(self._given_up)
        most = checked.longest(said.text, PACE)
        data, kind = self._ask(text, said.text, most)
        try:
            if rate := _bare(kind):
                samples = decoded.pcm(data, rate, most=most)
            elif not data:
                raise checked.Unfit("no audio came")
            elif not decoded.container(data):
                raise checked.Unfit(f"what came is no audio ({shown(kind, 60) or 'of no type'})")
            else:
                samples = decoded.decode(data, most=most)
            return checked.utterance(samples, tokens, said, words_per_minute=PACE)
        except checked.Unfit as problem:
            raise Again(str(problem)) from problem

    def _ask(self, text: str, sent: str, most: float) -> tuple[bytes, str]:
        """The audio as it came, and its content type."""
        import httpx2
        import openai

        settings = self._settings
        ends = self._clock.monotonic() + self._timeout
        try:
            with self._client().audio.speech.with_streaming_response.create(
                model=settings.model,
                voice=settings.voice,
                input=sent,
                response_format="wav",
                instructions=settings.instructions or openai.omit,
            ) as response:
                data = bytearray()
                for piece in response.iter_bytes():  # pieces of a given size would be waited for
                    data += piece
                    if len(data) > most * _BYTES_A_SECOND:
                        raise Again("it sent far more than such a text can be")
                    if self._clock.monotonic() > ends:
                        raise Again(f"it was not done after {self._timeout:g} s")
                return bytes(data), response.headers.get("Content-Type", "")
        except openai.APIStatusError as problem:
            raise self._refused(problem, text) from None
        except (openai.APITimeoutError, httpx2.TimeoutException):
            raise Again(f"it did not answer within {self._timeout:g} s") from None
        except (openai.OpenAIError, httpx2.HTTPError, OSError) as problem:
            raise Again(f"the connection failed: {shown(str(problem.__cause__ or problem), 160)}") from None
        except (httpx2.InvalidURL, UnicodeError):
            raise ConfigError("speech.base_url is no address of a server", hint=_SETTINGS_HINT) from None

    def _client(self) -> OpenAI:
        import openai

        with self._lock:
            if self._opened is None:
                try:
                    secret = self._secret().strip()
                except AuthError:
                    if self._settings.base_url.startswith(_OPENAI):
                        raise
                    secret = ""
                if not secret.isascii() or not secret.isprintable():
                    raise AuthError("the key of the speech server holds characters that no key has", hint=_KEY_HINT)
                self._opened = openai.OpenAI(
                    api_key=secret or "none", base_url=self._settings.base_url, timeout=self._timeout, max_retries=0
                )
                weakref.finalize(self, self._opened.close)
            return self._opened

    def _refused(self, problem: Any, text: str) -> Exception:
        """What a status means. Nothing of the answer gets into a message but the error's own words."""
        status = int(problem.status_code)
        code, about = shown(str(problem.code or ""), 60), str(problem.param or "")
        words = _words(problem)
        if code in _NO_CREDIT or status == 402:
            hint = "add credit at the provider, or let another engine speak: voice.engines"
            return AuthError(f"the speech server refused: there is no credit left ({code or status})", hint=hint)
        if status in (401, 403):
            return AuthError(f"the speech server refused the key ({status}){words}", hint=_KEY_HINT)
        if status in (408, 409, 425, 429) or status >= 500:
            return Again(f"it answered {status}", after=seconds_of(problem.response.headers.get("Retry-After")))
        if status in (404, 405) or about in _OF_SETTINGS or code in ("model_not_found", "invalid_voice"):
            where = shown(self._settings.base_url, 120)
            return ConfigError(
                f"the speech server takes no such request: {where}: {status}{words}", hint=_SETTINGS_HINT
            )
        return _failed(text, f"the speech server refused it ({status}){words}")


def _words(problem: Any) -> str:
    body = problem.body
    said = body.get("message") if isinstance(body, dict) else None
    text = shown(said, 160) if isinstance(said, str) else ""
    # A server may repeat the key it was given, or a part of it.
    return f": {text}" if text and "key" not in text.lower() and "bearer" not in text.lower() else ""


def _bare(kind: str) -> int:
    """The rate of bare samples, by the content type; 0 where it is something else."""
    name, *more = (part.strip().lower() for part in kind.split(";"))
    if name not in ("audio/pcm", "audio/l16", "audio/x-pcm"):
        return 0
    rates = [part.removeprefix("rate=") for part in more if part.startswith("rate=")]
    return int(rates[0]) if rates and rates[0].isascii() and rates[0].isdigit() and len(rates[0]) < 7 else 24_000


def _failed(text: str, reason: str) -> TtsFailed:
    hint = "the text can be changed in the sidecar; mangavid retry takes the chapter up again"
    return TtsFailed(f"the speech server could not speak «{shown(text, 60)}»: {reason}", hint=hint)
