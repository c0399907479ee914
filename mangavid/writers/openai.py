"""The writer that asks a model: OpenAI, or any server that speaks its chat protocol.

What it asks and how it reads the answers is in ``telling``; here are the requests: each is allowed by the desk before
it goes out, and its answer is kept before it is looked at, so that no answer is paid for twice.
"""

from __future__ import annotations

import json
import logging
import random
import ssl
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import msgspec

from mangavid import config, keys
from mangavid.errors import AuthError, ConfigError, ScriptRefused, WriterUnavailable
from mangavid.models import Chapter, Scene, Script
from mangavid.ports import Clock, Desk
from mangavid.writers import amounts, chat, chatfaults, neutral, prompts, sidecar, telling, titles
from mangavid.writers.chat import Answer
from mangavid.writers.chatfaults import Again, Unable
from mangavid.writers.prompts import Prompt

_log = logging.getLogger(__name__)

#: A function on AWS has 900 s. What was answered until then is kept, and the next try goes on from there.
DEADLINE = 780.0
_ATTEMPTS = 6
_LONGEST_BACKOFF = 30.0
_MAX_BODY = 4 << 20
#: More room for answers of models that think before they write, once one was seen to.
_THINKING = 12_000


class _Ways:
    """How the server wants to be asked, as far as it has turned out."""

    def __init__(self, base_url: str) -> None:
        self.formats = ["json_schema", "json_object", ""]
        # OpenAI's newer models take only the new name, most other servers know the old one.
        old, new = "max_tokens", "max_completion_tokens"
        self.rooms = [new, old] if chatfaults.host_of(base_url).endswith("openai.com") else [old, new]

    def without(self, problem: Unable) -> bool:
        """Ask another way from now on; False where there is none."""
        ways = self.formats if problem.part == "format" else self.rooms
        if len(ways) > 1:
            ways.pop(0)
            return True
        return False


class OpenAIWriter:
    """``ports.Writer``. ``key`` gives the API key and raises AuthError where there is none.

    ``timeout``: seconds for one request; ``deadline``: seconds for a chapter, after which WriterUnavailable is raised.
    ``jitter`` gives numbers from 0 to 1.
    """

    name = "openai"

    def __init__(
        self,
        settings: config.Writer,
        key: Callable[[], str],
        *,
        clock: Clock,
        language: str,
        timeout: float = 120.0,
        jitter: Callable[[], float] = random.random,
        deadline: float = DEADLINE,
    ) -> None:
        self._settings = settings
        self._key = key
        self._clock = clock
        self._language = language
        self._timeout = timeout
        self._jitter = jitter
        self._deadline = deadline
        self._ways = _Ways(settings.base_url)

    def write(self, chapter: Chapter, image: Callable[[int], bytes], desk: Desk) -> Script:
        """See ``ports.Writer``; also raises ConfigError (no such model, no chat server), BadSidecar."""
        if chapter.sidecar and any(texts := sidecar.lines(chapter, chapter.sidecar)):
            return _as_written(chapter, texts)
        with _Server(self._settings, self._key, self._clock, self._timeout) as server:
            asking = _Asking(
                self._settings, server, desk, self._ways, self._clock, self._jitter, self._deadline, self._timeout
            )
            script = telling.tell(self._settings, self._language, chapter, image, desk, asking.ask)
        return msgspec.structs.replace(script, writer=self.name, tokens=asking.tokens, micros=asking.micros)


def _as_written(chapter: Chapter, texts: list[str]) -> Script:
    return Script(
        job_id=chapter.job_id,
        language=chapter.language,
        title=titles.of_chapter(chapter),
        description=neutral.description(chapter),
        scenes=tuple(
            Scene(index=n, panel=panel.index, text=text)
            for n, (panel, text) in enumerate(zip(chapter.panels, texts, strict=True))
        ),
        tags=neutral.tags(chapter),
        writer="sidecar",
    )


def probe(settings: config.Writer, key: Callable[[], str], clock: Clock, *, timeout: float = 20.0) -> str:
    """What the server says of the configured model, as a sentence; costs nothing.

    Raises AuthError, ConfigError, WriterUnavailable.
    """
    host, model = chatfaults.host_of(settings.base_url), titles.plain(settings.model, 80)
    try:
        with _Server(settings, key, clock, timeout) as server:
            listed = server.models()
    except ConfigError:
        return f"{host} answers but does not list its models; whether {model} is there shows with the first chapter"
    except Again as problem:
        raise WriterUnavailable(str(problem)) from None
    except (Unable, telling.TooLong) as problem:
        raise ConfigError(f"writer.base_url: {host} does not list its models: {problem}") from None
    if any(name == settings.model or name.rpartition("/")[2] == settings.model for name in listed):
        return f"{host} has the model {model}"
    return f"{host} answers, but {model} is not among the {len(listed)} models it lists (writer.model)"


# --- asking ----------------------------------------------------------------------------------------------------------


class _Asking:
    """The requests of one chapter; ``tokens`` and ``micros`` count all its answers, also those of an earlier run."""

    def __init__(
        self,
        settings: config.Writer,
        server: _Server,
        desk: Desk,
        ways: _Ways,
        clock: Clock,
        jitter: Callable[[], float],
        deadline: float,
        timeout: float,
    ) -> None:
        self._settings = settings
        self._server = server
        self._desk = desk
        self._ways = ways
        self._clock = clock
        self._jitter = jitter
        self._timeout = timeout
        self._until = clock.monotonic() + deadline
        self._more_room = 0
        self.tokens = self.micros = 0

    def ask(self, prompt: Prompt) -> str:
        """``telling.Ask``."""
        answer = self._answer(prompt)
        if answer.finish == "length" and 2 * answer.thought > answer.tokens_out and not self._more_room:
            self._more_room = _THINKING
            answer = self._answer(prompt)
        if answer.refusal:
            raise ScriptRefused(
                f"{titles.plain(self._settings.model, 80)} refused to write about this chapter: {answer.refusal}",
                hint="another model may (writer.model); a sidecar or writer.kind: offline needs none",
            )
        if answer.finish == "length":
            raise telling.TooLong
        return answer.text

    def _answer(self, prompt: Prompt) -> Answer:
        room = prompt.room + self._more_room
        inputs = (prompts.VERSION, self._settings.base_url, self._settings.model, self._settings.detail, room)
        turns = [(turn.role, turn.texts, [sha256(data).hexdigest() for data in turn.pictures]) for turn in prompt.turns]
        key = f"{prompt.name}-{keys.digest(*inputs, prompt.repair, turns)}"
        answer = chat.kept(self._desk.recall(key))
        if answer is None:
            answer = self._asked(prompt, room, key)
            self._desk.keep(key, msgspec.json.encode(answer), self._cost(answer))
        self.tokens += answer.tokens_in + answer.tokens_out
        self.micros += self._cost(answer)
        return answer

    def _cost(self, answer: Answer) -> int:
        return amounts.micros(self._settings, answer.tokens_in, answer.tokens_out)

    def _asked(self, prompt: Prompt, room: int, key: str) -> Answer:
        texts = [text for turn in prompt.turns for text in turn.texts] + [json.dumps(prompt.schema)]
        pictures = [data for turn in prompt.turns for data in turn.pictures]
        tokens_in = amounts.of_request(self._settings, texts, pictures)
        worst = amounts.micros(self._settings, tokens_in, room)
        messages = [chat.message(turn, self._settings.detail) for turn in prompt.turns]
        failed = 0
        while True:
            self._desk.allow(worst)
            left = self._until - self._clock.monotonic()
            if left < 1:
                raise self._unavailable("the time for one chapter is over")
            body: dict[str, Any] = {"model": self._settings.model, "messages": messages, self._ways.rooms[0]: room}
            if self._ways.formats[0]:
                body["response_format"] = chat.answer_format(self._ways.formats[0], prompt)
            try:
                return chat.read(self._server.chat(body, min(self._timeout, left)), tokens_in)
            except Unable as problem:
                if not self._ways.without(problem):
                    if problem.part == "room":  # the name is known, the number is too high
                        raise telling.TooLong from None
                    raise ConfigError(f"writer.model: the server does not take the request: {problem}") from None
                _log.info("asked another way from now on: %s", problem)
            except Again as problem:
                failed += 1
                if problem.paid:
                    # Nothing came of it, but it may be on the bill: the budget must know.
                    lost = keys.digest(key, failed, self._clock.now().isoformat())
                    self._desk.keep(f"lost-{lost}", b"", worst)
                self._wait(failed, problem)

    def _wait(self, failed: int, problem: Again) -> None:
        """Before the next try. Raises WriterUnavailable where there is none."""
        if failed >= _ATTEMPTS:
            raise self._unavailable(f"{problem} (asked {failed} times)")
        pause = min(_LONGEST_BACKOFF, 2.0 ** (failed - 1)) * (0.5 + 0.5 * self._jitter())
        if problem.after is not None:
            if problem.after > chatfaults.LONGEST_WAIT:
                raise self._unavailable(f"{problem}; it wants to be left alone for {problem.after:.0f} s")
            pause = max(pause, problem.after + self._jitter())
        if self._clock.monotonic() + pause >= self._until:
            raise self._unavailable(f"{problem}; the time for one chapter is over")
        _log.info("asked again in %.1f s: %s", pause, problem)
        self._clock.sleep(pause)

    def _unavailable(self, why: str) -> WriterUnavailable:
        return WriterUnavailable(
            f"{titles.plain(self._settings.model, 80)}: {why}", hint="try again later: the answers so far are kept"
        )


# --- the wire --------------------------------------------------------------------------------------------------------


class _Server:
    """The SDK's client, without its retries (it sleeps by itself, and tries again where the account is empty)."""

    def __init__(self, settings: config.Writer, key: Callable[[], str], clock: Clock, timeout: float) -> None:
        self._settings = settings
        self._clock = clock
        self._timeout = timeout
        self._get_key = key
        self._key = ""
        self._client: Any = None

    def __enter__(self) -> _Server:
        return self

    def __exit__(self, *_: object) -> None:
        if self._client is not None:
            self._client.close()

    def chat(self, body: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """Raises Again, Unable, TooLong, and what ``ports.Writer`` raises."""
        client = self._open()
        create = client.chat.completions.with_streaming_response.create
        return self._ask(lambda timeout: create(**body, timeout=timeout), seconds, charged=True)

    def models(self) -> list[str]:
        client = self._open()
        asked = client.models.with_streaming_response.list
        found = self._ask(lambda timeout: asked(timeout=timeout), self._timeout, charged=False)
        data = found.get("data")
        return [str(one.get("id")) for one in data if isinstance(one, dict)] if isinstance(data, list) else []

    def _open(self) -> Any:
        if self._client is None:
            import httpx2
            import openai

            self._key = self._found_key()
            try:
                self._client = openai.OpenAI(
                    api_key=self._key,
                    base_url=self._settings.base_url,
                    max_retries=0,
                    # Not followed: another host would be sent the pictures, and nobody chose it.
                    http_client=openai.DefaultHttpxClient(follow_redirects=False),
                )
            except (httpx2.InvalidURL, openai.OpenAIError, ValueError):
                raise ConfigError(f"writer.base_url: {chatfaults.host_of(self._settings.base_url)} can't be") from None
        return self._client

    def _found_key(self) -> str:
        # A server of one's own (Ollama, vLLM) mostly wants no key, and the SDK insists on one.
        dummy = "none"
        if not chatfaults.may_have_key(self._settings.base_url):
            return dummy
        try:
            key = self._get_key().strip()
        except AuthError:
            if self._settings.base_url.startswith("https:"):
                raise
            return dummy
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise AuthError("the model's key is no key: it is empty, or holds spaces or signs no key has", hint=_SET)
        return key

    def _ask(self, request: Callable[[Any], Any], seconds: float, *, charged: bool) -> Mapping[str, Any]:
        """The decoded answer. The SDK's timeout is for each read alone; ``seconds`` are for all of them."""
        import httpx2
        import openai

        host = chatfaults.host_of(self._settings.base_url)
        started = self._clock.monotonic()
        try:
            with request(openai.Timeout(seconds, connect=min(10.0, seconds))) as response:
                headers = response.headers
                _log.debug("request %s", titles.plain(str(headers.get("x-request-id", "")), 80))
                data = bytearray()
                for piece in response.iter_bytes():  # as it comes: a size would be waited for
                    data += piece
                    if len(data) > _MAX_BODY:
                        raise Again(f"{host} answered with more than {_MAX_BODY >> 20} MB", paid=charged)
                    if self._clock.monotonic() - started > seconds:
                        raise Again(f"{host} did not end its answer in time", paid=charged)
        except openai.APIStatusError as error:
            raise self._problem(error.status_code, error.body or error.message, error.response.headers) from None
        except openai.APITimeoutError as error:
            waited = isinstance(error.__cause__, httpx2.ReadTimeout)
            raise Again(f"{host} did not answer in time", paid=charged and waited) from None
        except openai.APIConnectionError as error:
            raise Again(f"{host} can't be reached{self._because(error.__cause__)}") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise Again(f"the answer of {host} broke off{self._because(error)}", paid=charged) from None
        except openai.OpenAIError as error:
            raise Again(f"{host} could not be asked{self._because(error)}") from None
        return self._decoded(bytes(data), headers, charged)

    def _decoded(self, data: bytes, headers: Any, charged: bool) -> Mapping[str, Any]:
        host = chatfaults.host_of(self._settings.base_url)
        try:
            body = json.loads(data.decode("utf-8-sig", "replace"))
        except (ValueError, RecursionError):
            html = data.lstrip()[:1] == b"<"
            what = "an HTML page: is writer.base_url right?" if html else "something that is not JSON"
            raise Again(f"{host} answered with {what}", paid=charged and not html) from None
        if not isinstance(body, dict):
            raise Again(f"{host} answered with something that is no completion", paid=charged)
        error = body.get("error")
        if error and "choices" not in body:  # routers pass on the errors of others with status 200
            code = error.get("code") if isinstance(error, dict) else None
            real = isinstance(code, int | str) and str(code).isdigit() and 400 <= int(code) < 600
            raise self._problem(int(code) if code and real else 502, body, headers)
        return body

    def _problem(self, status: int, body: object, headers: Any) -> Exception:
        said = chatfaults.said(status, body, headers, self._clock.now(), self._key)
        return chatfaults.problem(said, self._settings)

    def _because(self, error: BaseException | None) -> str:
        """Why, in the library's words; a certificate that is not believed is worth its name."""
        seen: BaseException | None = error
        while seen is not None:
            if isinstance(seen, ssl.SSLCertVerificationError):
                return ": its certificate is not to be trusted"
            seen = seen.__cause__ or seen.__context__
        return f": {why}" if error and (why := chatfaults.clean(str(error), self._key)) else ""


_SET = "mangavid secrets set openai stores it"
