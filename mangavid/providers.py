"""Which provider the settings ask for: the one place that knows all of them, whatever the target.

Each is made when it is asked for, since each brings a library along.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from mangavid import keys
from mangavid.config import Config
from mangavid.errors import ConditionFailed, ConfigError
from mangavid.ports import (
    Change,
    Clause,
    Clock,
    Fetched,
    Found,
    Item,
    Jobs,
    Objects,
    Publisher,
    Secrets,
    Source,
    Voice,
    Writer,
)
from mangavid.products import job_of_found

OPENAI_KEY = "openai-api-key"
SPEECH_KEY = "speech-api-key"
YOUTUBE_TOKEN = "youtube-token"  # noqa: S105 - its name


# --- sources ---------------------------------------------------------------------------------------------------------


class Sources:
    """Chapters of this target's own (files) and of the network, told apart by their addresses.

    ``files`` makes the source of chapters named by paths or keys, ``library`` the one of all that there are.
    """

    def __init__(
        self,
        config: Config,
        *,
        jobs: Jobs,
        objects: Objects,
        clock: Clock,
        progress: Callable[[str, int, int, str], None],
        files: Callable[[Sequence[str]], Source],
        library: Callable[[], Source],
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._objects = objects
        self._clock = clock
        self._progress = progress
        self._files = files
        self._library = library

    def of(self, run: Item) -> Source:
        """What ``Target.source`` is: the chapters a run names, else those of the configured source."""
        if named := run.get("sources"):
            return _Named(self, [str(one) for one in named])
        kind = self._config.source.kind
        return self._library() if kind == "library" else self.remote(kind, ())

    def one(self, ref: str) -> Source:
        """The source of one chapter, or of all at one address. Raises SourceNotFound for an address of nobody."""
        if not keys.is_address(ref):
            return self._files((ref,))
        from mangavid.sources.remote import provider_of

        return self.remote(provider_of(ref), (ref,))

    def remote(self, kind: str, named: Sequence[str]) -> Source:
        config = self._config
        if kind == "mangadex":
            from mangavid.sources.mangadex import MangadexSource

            return MangadexSource(
                config.mangadex,
                config.source.languages,
                language=config.language,
                clock=self._clock,
                shelf=self._shelf,
                allowance=self._allowance,
                progress=self._told,
                named=named,
            )
        from mangavid.sources.peppercarrot import PeppercarrotSource

        return PeppercarrotSource(
            config.peppercarrot,
            config.source.languages,
            language=config.language,
            clock=self._clock,
            shelf=self._shelf,
            progress=self._told,
            named=named,
        )

    def _shelf(self, found: Found) -> _Downloads:
        return _Downloads(self._objects, job_of_found(found))

    def _told(self, found: Found, done: int, total: int) -> None:
        self._progress(job_of_found(found), done, total, "page")

    def _allowance(self, name: str, most: int) -> bool:
        return allowed(self._jobs, self._clock, name, most)


def allowed(jobs: Jobs, clock: Clock, name: str, most: int) -> bool:
    """Count one more of a provider's chapters today (UTC); False where that many were taken."""
    key = keys.allowance_item(f"{clock.now():%Y-%m-%d}", name)
    rest = (Clause("taken", "absent"), Clause("taken", "lt", most))
    try:
        jobs.change(Change(key=key, plus={"taken": 1}, when=[rest]))
    except ConditionFailed:
        return False
    return True


class _Named:
    """``ports.Source``: the chapters at these addresses, in the order they are named."""

    def __init__(self, sources: Sources, refs: Sequence[str]) -> None:
        self._sources = sources
        self._refs = refs

    def find(self) -> Iterator[Found]:
        # All of them first: who names several and mistypes one is told before any is made.
        yield from [found for ref in self._refs for found in self._sources.one(ref).find()]

    def fetch(self, found: Found) -> Fetched:
        return self._sources.one(found.ref).fetch(found)


class _Downloads:
    """``sources.remote.Shelf`` in the object store: what was downloaded is not downloaded again after a kill."""

    def __init__(self, objects: Objects, job_id: str) -> None:
        self._objects = objects
        self._job_id = job_id

    def get(self, name: str) -> bytes | None:
        key = keys.download(self._job_id, name)
        return self._objects.get(key) if self._objects.exists(key) else None

    def put(self, name: str, data: bytes) -> None:
        self._objects.put(keys.download(self._job_id, name), data)


# --- writer, voices, publisher ---------------------------------------------------------------------------------------


def open_writer(config: Config, secrets: Secrets, clock: Clock) -> Writer:
    if config.writer.kind == "openai":
        from mangavid.writers.openai import OpenAIWriter

        return OpenAIWriter(config.writer, lambda: secrets.get(OPENAI_KEY), clock=clock, language=config.language)
    from mangavid.writers.offline import OfflineWriter

    return OfflineWriter(config.writer)


def open_voice(config: Config, engine: str, secrets: Secrets, clock: Clock, *, spool: Path | None = None) -> Voice:
    """Raises ConfigError, TtsFailed, TtsUnavailable where the engine can't be had here."""
    if engine == "edge":
        from mangavid.voices.edge import EdgeVoice

        return EdgeVoice(config.edge, clock=clock)
    if engine == "speech":
        from mangavid.voices.speech import SpeechVoice

        return SpeechVoice(
            config.speech, lambda: secrets.get(speech_key(config)), clock=clock, language=config.language
        )
    if engine == "piper":
        from mangavid.voices.piper import PiperVoice

        return PiperVoice(config.piper)
    if engine == "espeak":
        from mangavid.voices.espeak import EspeakVoice

        return EspeakVoice(config.voice, spool=spool, language=config.language)
    raise ConfigError(f"there is no voice engine {engine}", hint="voice.engines: edge, speech, piper, espeak")


def speech_key(config: Config) -> str:
    """The secret of the speech server. Another server than the writer's never gets the writer's key."""
    return OPENAI_KEY if config.speech.base_url == config.writer.base_url else SPEECH_KEY


def open_publisher(config: Config, secrets: Secrets, clock: Clock, files: Callable[[], Publisher]) -> Publisher:
    """``files`` makes the publisher that leaves the videos where they can be picked up."""
    if config.publisher.kind == "folder":
        return files()
    from mangavid.publishers.youtube import YoutubePublisher

    return YoutubePublisher(
        config.youtube,
        config.rights,
        lambda: secrets.get(YOUTUBE_TOKEN),
        clock=clock,
        time_zone=config.aws.time_zone,
    )
