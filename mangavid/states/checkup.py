"""Whether what the settings ask for can work: looked at part by part, and where wanted, by asking the real services.

Each is asked the cheapest thing it answers: a source for its next chapter, the model's server for its list of models,
a voice for one word, YouTube for the channel's name (one unit).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from mangavid.config import Config
from mangavid.errors import AuthError, ConfigError, MangavidError, SourceNotFound
from mangavid.ports import Target
from mangavid.providers import OPENAI_KEY, YOUTUBE_TOKEN, speech_key
from mangavid.rights import check_settings


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """``what`` was looked at, whether it is ``good``, what was found. A bad one has the exit code of its error."""

    what: str
    good: bool
    said: str
    hint: str = ""
    exit_code: int = 0


def look(target: Target, *, live: bool) -> Iterator[Finding]:
    """A finding a part, as it comes. Raises nothing: what goes wrong is a finding."""
    config = target.config
    checks: list[tuple[str, Callable[[], str]]] = [("source", lambda: _source(target, live=live))]
    checks.append(("writer", lambda: _writer(target, live=live)))
    checks += [(f"voice {name}", _voice(target, name, live=live)) for name in config.voice.engines]
    checks.append(("rights", lambda: _rights(config)))
    checks.append(("publisher", lambda: _publisher(target, live=live)))
    for what, check in checks:
        yield _found(what, check)


def _found(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what=what, good=True, said=check())
    except MangavidError as problem:
        return Finding(what=what, good=False, said=str(problem), hint=problem.hint, exit_code=problem.exit_code)


def _source(target: Target, *, live: bool) -> str:
    settings = target.config.source
    if settings.kind == "library":
        if target.config.target == "local" and not settings.library:
            return "no library: chapters are named (mangavid run CHAPTER.cbz)"
        if target.config.target == "local" and not Path(settings.library).is_dir():
            raise SourceNotFound(
                f"the library folder {settings.library} does not exist",
                hint="set source.library to the folder your chapters are in",
            )
    elif settings.kind == "mangadex" and not target.config.mangadex.titles:
        raise ConfigError("source.kind is mangadex, and mangadex.titles is empty", hint="mangadex.titles: [a title]")
    if not live:
        return settings.kind
    found = next(target.source({}).find(), None)
    if found is None:
        return f"{settings.kind}: there is no chapter"
    named = " ".join(part for part in (found.series, found.number, found.title) if part)
    return f"{settings.kind}: the first chapter is {named}"


def _writer(target: Target, *, live: bool) -> str:
    settings = target.config.writer
    if settings.kind == "offline":
        return "offline: sidecars, bubbles, or neutral lines"
    if settings.words_least > settings.words_most:
        raise ConfigError(
            f"writer.words_least is {settings.words_least}, more than writer.words_most, {settings.words_most}",
            hint="writer.words_least: 10, writer.words_most: 20",
        )
    if not live:
        if settings.base_url.startswith("https:"):
            target.secrets.get(OPENAI_KEY)
        return f"{settings.model} at {settings.base_url}"
    from mangavid.writers.openai import probe

    return probe(settings, lambda: target.secrets.get(OPENAI_KEY), target.clock)


def _voice(target: Target, name: str, *, live: bool) -> Callable[[], str]:
    def check() -> str:
        if name == "speech" and target.config.speech.base_url.startswith("https:"):
            target.secrets.get(speech_key(target.config))
        if name in ("edge", "speech") and not live:
            return "is set up; --live hears it"
        voice: Any = target.voice(name)
        if probe := getattr(voice, "probe", None):
            return str(probe())
        return f"spoke {voice.speak('Chào.').samples / 48_000:.1f} s"

    return check


def _rights(config: Config) -> str:
    check_settings(config)
    if config.publisher.kind == "folder":
        return "none are needed: videos stay files of yours"
    return f"{config.rights.basis}, {config.rights.holder or config.rights.licence or 'nobody holds any'}"


def _publisher(target: Target, *, live: bool) -> str:
    if target.config.publisher.kind == "folder":
        return "files in the bucket" if target.config.target == "aws" else "files in a folder"
    token = target.secrets.get(YOUTUBE_TOKEN)
    if not token.strip():
        raise AuthError("the login to YouTube is empty", hint="mangavid auth youtube")
    if not live:
        return f"YouTube, {target.config.youtube.privacy}"
    from mangavid.publishers.youtube import probe

    return f"YouTube, {probe(target.config.youtube, lambda: token, clock=target.clock)}"
