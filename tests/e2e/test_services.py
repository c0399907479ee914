"""The whole pipeline on the services it is made for: MangaDex, a model, Edge TTS and YouTube, each on loopback.

The command line is a process, the services are servers with ledgers (``tests.fakes.services``): these judge.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid import keys
from mangavid.config import Config
from mangavid.publishers.youtube import marker
from tests.deployed import Deployed, deployed
from tests.fakes.chat import KEY
from tests.fakes.services import Services, services

pytestmark = pytest.mark.slow


@dataclass
class Desk:
    """A person's folder: a mangavid.yaml, a home, the command line."""

    fakes: Services
    folder: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MANGAVID_", "OPENAI_"))}
        places = {"XDG_CONFIG_HOME": str(self.folder / "config"), "MANGAVID_HOME": str(self.folder / "home")}
        return {**kept, **places, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **self.extra}

    def settle(self, *titles: str, **changes: Any) -> Desk:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.fakes.write(self.folder / "mangavid.yaml", *titles, **changes)
        return self

    def cli(self, *arguments: str, given: str = "", timeout: float = 150) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "mangavid", *arguments],
            cwd=self.folder,
            env=self.environment,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.cli(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def secrets(self) -> Desk:
        for name, value in (("openai", KEY), ("youtube", self.fakes.youtube.login.token())):
            done = self.cli("secrets", "set", name, "--file", "-", given=value)
            assert done.returncode == 0, done.stderr
        return self


def one_title(fakes: Services, name: str) -> tuple[str, str]:
    """A title with one chapter; both ids."""
    title = fakes.mangadex.title(name)
    return title, fakes.mangadex.chapter(title, "1", pages=2)


def is_published_as_it_should_be(fakes: Services, video: dict[str, Any], job_id: str) -> None:
    """Private, with thumbnail and captions, known again by its mark; who made what it shows is told."""
    snippet = video["snippet"]
    assert video["status"]["privacyStatus"] == "private"
    assert marker(job_id) in snippet["tags"]
    told = snippet["description"]
    assert all(who in told for who in ("MangaDex", "Nhóm Trăng", "Vân Trần", "Xưởng Trăng")), told
    youtube = fakes.youtube.data
    assert [one for one, _ in youtube.thumbnails].count(video["id"]) == 1
    (captions,) = [one for one in youtube.captions if one["videoId"] == video["id"]]
    assert captions["language"] == "vi"
    assert "Cậu bé bước qua cánh cổng cũ" in captions["text"].replace("\n", " ")


def every_service_was_treated_well(fakes: Services) -> None:
    """No limit of MangaDex's broken, each delivery reported, nothing paid twice, one connection to Edge."""
    site = fakes.mangadex
    assert site.violations() == 0
    pages = [request.path for request in site.images.ledger]
    assert len(site.reports()) == len(pages)
    assert all(report["success"] for report in site.reports())
    paid = Counter(json.dumps(call.body, sort_keys=True) for call in fakes.chat.paid)
    assert paid
    assert set(paid.values()) == {1}
    assert len(fakes.chat.paid) == len(fakes.chat.calls)
    assert fakes.edge.ledger.most_at_once == 1


# --- on this machine -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with services() as fakes:
        title, _ = one_title(fakes, "Cổng Cũ")
        yield Desk(fakes, tmp_path_factory.mktemp("here")).settle(title).secrets()


@pytest.fixture(scope="module")
def made(here: Desk) -> dict[str, Any]:
    done = here.cli("run", "--json")
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    return outcome


def test_secrets_are_files_that_only_their_owner_may_read(here: Desk) -> None:
    files = list((here.folder / "home" / "secrets").iterdir())
    assert {file.name for file in files} == {"openai-api-key", "youtube-token"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_chapter_of_mangadex_becomes_a_private_video_on_youtube(here: Desk, made: dict[str, Any]) -> None:
    assert (made["status"], made["failed"], made["exit_code"]) == ("SUCCEEDED", [], 0)
    (one,) = made["made"]
    (video,) = here.fakes.youtube.videos.values()
    assert one["video"] == f"https://youtu.be/{video['id']}"
    is_published_as_it_should_be(here.fakes, video, one["job_id"])


@pytest.mark.usefixtures("made")
def test_every_service_is_treated_as_it_asks_to_be(here: Desk) -> None:
    every_service_was_treated_well(here.fakes)
    assert here.fakes.youtube.count("videos.insert") == 1


def test_status_and_quota_tell_of_it(here: Desk, made: dict[str, Any]) -> None:
    (job,) = here.json("status")["jobs"]
    (video_id,) = here.fakes.youtube.videos
    assert (job["job_id"], job["published"]) == (made["made"][0]["job_id"], f"https://youtu.be/{video_id}")
    assert "CANARY" not in json.dumps(job)
    assert here.json("quota", "show")["used"] == 1


@pytest.mark.usefixtures("made")
def test_another_run_is_over_quota_and_asks_nobody(here: Desk) -> None:
    before = here.fakes.asked()
    done = here.cli("run")
    assert done.returncode == 5, done.stderr
    assert here.fakes.asked() == before


def test_a_takedown_deletes_it_and_a_check_hears_all_four(here: Desk, made: dict[str, Any]) -> None:
    done = here.cli("takedown", made["made"][0]["job_id"], "--delete", "--yes")
    assert done.returncode == 0, done.stderr
    assert here.fakes.youtube.videos == {}
    checked = here.cli("check", "--live")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert all(word in checked.stdout for word in ("mangadex", "gpt-4.1-mini", "HoaiMy", "YouTube, channel Kênh thử"))


@pytest.mark.usefixtures("made")
def test_without_rights_nothing_is_fetched(here: Desk, tmp_path: Path) -> None:
    title = next(iter(here.fakes.mangadex.titles))
    before = here.fakes.asked()
    none = Desk(here.fakes, tmp_path / "none").settle(title, rights={"basis": ""}).cli("run")
    assert (none.returncode, "rights.basis" in none.stderr) == (7, True), none.stderr
    public = Desk(here.fakes, tmp_path / "public").settle(title, youtube={"privacy": "public"}).cli("run")
    assert (public.returncode, "rights.mangadex" in public.stderr) == (7, True), public.stderr
    assert here.fakes.asked() == before


def test_with_edge_gone_for_good_the_whole_video_is_spoken_by_espeak(tmp_path: Path) -> None:
    with services() as fakes:
        title, _ = one_title(fakes, "Không Lời")
        fakes.edge.faults.extend(["ok", *["status 401"] * 50])  # the first line is spoken
        done = Desk(fakes, tmp_path / "desk").settle(title).secrets().cli("run", "--json")
        assert done.returncode == 0, done.stderr
        (note,) = [one for one in json.loads(done.stdout)["skipped"] if "spoken by" in one]
        assert "spoken by espeak" in note
        (video,) = fakes.youtube.videos.values()
        assert video["status"]["privacyStatus"] == "private"


@pytest.mark.parametrize("where", ["its session is not answered yet", "its part is not answered yet"])
def test_a_run_killed_in_its_upload_and_run_again_makes_one_video(tmp_path: Path, where: str) -> None:
    with services() as fakes:
        title, _ = one_title(fakes, "Lần Nữa")
        desk = Desk(fakes, tmp_path / "desk").settle(title).secrets()
        fakes.youtube.fault("videos.insert" if "session" in where else "put", "stall")
        with subprocess.Popen(
            [sys.executable, "-m", "mangavid", "run", "--json"],
            cwd=desk.folder,
            env=desk.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as first:
            until = time.monotonic() + 120
            wanted = "videos.insert" if "session" in where else "put"
            while fakes.youtube.count(wanted) == 0:
                assert first.poll() is None
                assert time.monotonic() < until
                time.sleep(0.05)
            os.killpg(first.pid, signal.SIGKILL)
        assert fakes.youtube.videos == {}
        paid, spoken = len(fakes.chat.paid), len(fakes.edge.ledger.texts)
        done = desk.cli("run", "--json")
        assert done.returncode == 0, done.stderr
        assert len(fakes.youtube.videos) == 1
        assert (len(fakes.chat.paid), len(fakes.edge.ledger.texts)) == (paid, spoken)
        assert desk.json("quota", "show")["used"] == 1


def test_a_check_names_the_model_that_does_not_answer(tmp_path: Path) -> None:
    with services() as fakes:
        title, _ = one_title(fakes, "Im Lặng")
        desk = Desk(fakes, tmp_path / "desk").settle(title).secrets()
        fakes.stop_chat.close()
        done = desk.cli("check", "--live", "--json")
        (bad,) = [one for one in json.loads(done.stdout) if not one["good"]]
        assert (done.returncode, bad["what"], bad["exit_code"]) == (6, "writer", 6), bad
        assert bad["hint"]


# --- on AWS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aws(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Services, Deployed]]:
    folder = tmp_path_factory.mktemp("aws")
    with services() as fakes:
        title, _ = one_title(fakes, "Trên Mây")
        file = fakes.write(folder / "mangavid.yaml", title)
        config = msgspec.convert(fakes.settings(title), Config)
        with deployed(config, Path(request.config.cache.mkdir("packages")) / "here") as standing:
            standing.environment["MANGAVID_CONFIG"] = str(file)
            for name, value in (("openai", KEY), ("youtube", fakes.youtube.login.token())):
                (folder / name).write_text(value)
                done = standing.cli("secrets", "set", name, "--file", str(folder / name))
                assert done.returncode == 0, done.stderr
            yield fakes, standing


def test_on_aws_a_chapter_of_mangadex_becomes_a_private_video_on_youtube(aws: tuple[Services, Deployed]) -> None:
    fakes, standing = aws
    done = standing.cli("run", "--wait", "--json")
    assert done.returncode == 0, done.stderr + standing.troubles()
    (one,) = json.loads(done.stdout)["made"]
    (video,) = fakes.youtube.videos.values()
    assert one["video"] == f"https://youtu.be/{video['id']}"
    is_published_as_it_should_be(fakes, video, one["job_id"])
    every_service_was_treated_well(fakes)
    assert standing.json("quota", "show")["used"] == 1
    left = standing.objects(f"jobs/{one['job_id']}/")
    assert len(left) == len(keys.FILES)
    assert all(key.startswith(f"jobs/{one['job_id']}/final/") for key in left)
