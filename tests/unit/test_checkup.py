"""``mangavid check`` without a network: what is configured, and what is missing for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from mangavid.config import Config, Mangadex, Publisher, Rights, Source, Voice, Writer
from mangavid.errors import TtsUnavailable
from mangavid.states.checkup import Finding, look
from tests.fakes.memory import FakeSecrets
from tests.fakes.world import make_world


def found(tmp_path: Path, config: Config, **secrets: str) -> dict[str, Finding]:
    target = dataclasses.replace(make_world(tmp_path, "a", config=config).target, secrets=FakeSecrets(**secrets))
    return {one.what: one for one in look(target, live=False)}


def test_what_comes_along_works_without_a_key_and_needs_no_rights(tmp_path: Path) -> None:
    seen = found(tmp_path, Config())
    assert [one.what for one in seen.values() if not one.good] == []
    assert list(seen) == ["source", "writer", "voice espeak", "rights", "publisher"]


@pytest.mark.parametrize(
    ("config", "what", "said", "code"),
    [
        (Config(source=Source(kind="mangadex")), "source", "mangadex.titles is empty", 2),
        (Config(source=Source(library="/no/such/folder")), "source", "does not exist", 3),
        (Config(writer=Writer(kind="openai")), "writer", "openai-api-key is not set", 7),
        (Config(writer=Writer(kind="openai", words_least=30)), "writer", "more than writer.words_most", 2),
        (Config(voice=Voice(engines=("speech",))), "voice speech", "openai-api-key is not set", 7),
        (Config(publisher=Publisher(kind="youtube")), "rights", "rights.basis is empty", 7),
        (Config(publisher=Publisher(kind="youtube")), "publisher", "youtube-token is not set", 7),
    ],
)
def test_what_is_missing_is_a_finding_with_the_exit_code_of_its_error(
    tmp_path: Path, config: Config, what: str, said: str, code: int
) -> None:
    one = found(tmp_path, config)[what]
    assert not one.good
    assert said in one.said
    assert one.exit_code == code


def test_with_its_keys_and_rights_a_channel_is_ready(tmp_path: Path) -> None:
    config = Config(
        source=Source(kind="mangadex"),
        mangadex=Mangadex(titles=("Kite",)),
        writer=Writer(kind="openai"),
        voice=Voice(engines=("edge", "espeak")),
        publisher=Publisher(kind="youtube"),
        rights=Rights(basis="own", holder="An"),
    )
    seen = found(tmp_path, config, openai_api_key="k", youtube_token="{}")
    assert [(one.what, one.said) for one in seen.values() if not one.good] == []
    assert seen["publisher"].said == "YouTube, private"


def test_an_engine_that_can_not_be_had_is_told_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    def voice(engine: str) -> None:
        raise TtsUnavailable(f"{engine} is away")

    world = make_world(tmp_path, "a")
    target = dataclasses.replace(world.target, voice=voice)
    seen = {one.what: one for one in look(target, live=False)}
    assert (seen["voice espeak"].said, seen["voice espeak"].exit_code) == ("espeak is away", 6)
    assert seen["publisher"].good
