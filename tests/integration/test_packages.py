"""The real packages: what is in those for AWS, and that those of this machine's own system do their work alone."""

from __future__ import annotations

import email
import importlib
import json
import re
import struct
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.jobs import table_definition
from mangavid.aws.package import FOLDERS, HANDLERS
from mangavid.aws.package.build import Package, build_groups
from mangavid.aws.package.groups import GROUPS, WORKER_SERVICES, Group, System
from mangavid.local.handlers import FUNCTIONS
from tests.drawn import pack, png, small_page
from tests.fakes.motoserver import moto_server

ROOT = Path(__file__).resolve().parents[2]
NAMES = [group.name for group in GROUPS]
WRITTEN = [function for function, folder in FOLDERS.items() if (ROOT / "lambdas" / folder / "handler.py").exists()]

pytestmark = pytest.mark.slow

#: What Lambda brings besides Python: boto3 and what it needs.
BROUGHT = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")

ALONE = """
import sys
from importlib.abc import MetaPathFinder

class Refuser(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        for refused in ("typer", "click", "rich", "yaml", "mangavid.local", "mangavid.cli"):
            if name == refused or name.startswith(refused + "."):
                raise ImportError(f"{name} has no business here")

sys.meta_path.insert(0, Refuser())
sys.path[:0] = PATHS
"""


def existing(group: Group, system: System) -> Group:
    return replace(group, system=system, own=tuple(one for one in group.own if (ROOT / one).exists()))


@pytest.fixture(scope="module")
def cache(request: pytest.FixtureRequest) -> Path:
    """Between runs of the tests, so that only a changed lock is installed again."""
    return Path(request.config.cache.mkdir("packages"))


@pytest.fixture(scope="module")
def there(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Package]:
    """Packages for AWS."""
    groups = [existing(group, group.system) for group in GROUPS]
    return build_groups(groups, cache / "there", tmp_path_factory.mktemp("there"))


@pytest.fixture(scope="module")
def here(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Packages for this machine, unpacked."""
    out = tmp_path_factory.mktemp("here")
    made = build_groups([existing(group, System()) for group in GROUPS], cache / "here", out)
    for name, package in made.items():
        with zipfile.ZipFile(package.file) as archive:
            for info in archive.infolist():
                Path(archive.extract(info, out / name)).chmod(info.external_attr >> 16)
    return {name: out / name for name in made}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runtime")
    for name in BROUGHT:
        found = importlib.import_module(name).__file__
        assert found is not None
        place = Path(found).parent if Path(found).name == "__init__.py" else Path(found)
        (folder / place.name).symlink_to(place)
    return folder


def alone(paths: list[Path], code: str, *, cwd: Path, **variables: str) -> str:
    """Run code with these folders and Python's own library on the path, and nothing else."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", ALONE.replace("PATHS", repr([str(path) for path in paths])) + code],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "TMPDIR": str(cwd), "AWS_REGION": "eu-west-1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_all_that_is_compiled_is_for_the_system_it_runs_on(there: dict[str, Package], name: str) -> None:
    python = next(group for group in GROUPS if group.name == name).system.python.replace(".", "")
    compiled = 0
    with zipfile.ZipFile(there[name].file) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            data = archive.read(info)
            if data.startswith(b"\x7fELF"):
                compiled += 1
                bits, order, machine = data[4], data[5], struct.unpack_from("<H", data, 18)[0]
                assert (bits, order, machine) == (2, 1, 183), info.filename  # 64 bits, little end first, AArch64
                newest = max((int(minor) for minor in re.findall(rb"\0GLIBC_2\.(\d+)", data)), default=0)
                assert newest <= 34, info.filename  # Amazon Linux 2023
            assert not data.startswith((b"MZ", b"\xcf\xfa\xed\xfe")), info.filename
            if made_for := re.search(r"\.cpython-(\d+)-", info.filename):
                assert made_for[1] == python, info.filename
            if info.filename.endswith(".dist-info/WHEEL"):
                tags = email.message_from_bytes(data).get_all("Tag", [])
                assert any(fits(tag, python) for tag in tags), (info.filename, tags)
    assert compiled > 0


def fits(tag: str, python: str) -> bool:
    interpreter, abi, platform = tag.split("-")
    if platform == "any":
        return "py3" in interpreter or interpreter == "py2.py3"
    this_python = interpreter == f"cp{python}" or abi == "abi3" or abi == "none"
    return this_python and platform.startswith("manylinux") and platform.endswith("aarch64")


def test_packages_are_no_larger_than_they_need_to_be(there: dict[str, Package]) -> None:
    sizes = {name: (package.size / 1e6, package.unpacked / 1e6) for name, package in there.items()}
    most = {"control": (2, 4), "scriptgen": (20, 60), "fetcher": (75, 180), "ttsgen": (80, 210), "worker": (200, 480)}
    assert all(size[0] <= most[name][0] and size[1] <= most[name][1] for name, size in sizes.items()), sizes


def test_nothing_that_runs_on_aws_brings_the_command_line_along(there: dict[str, Package]) -> None:
    for package in there.values():
        with zipfile.ZipFile(package.file) as archive:
            names = archive.namelist()
        tops = {name.partition("/")[0] for name in names}
        assert not tops & {"typer", "click", "rich", "yaml", "bin", "tests"}, package.name
        assert not [name for name in names if re.search(r"/(RECORD|INSTALLER)$|\.pyc$|/tests/", name)], package.name
        assert not [
            name for name in names if name.startswith(("mangavid/cli/", "mangavid/local/", "mangavid/aws/stack/"))
        ]


@pytest.mark.parametrize("name", [group.name for group in GROUPS if group.functions])
def test_what_serves_a_function_is_imported_from_its_package_alone(
    here: dict[str, Path], runtime: Path, tmp_path: Path, name: str
) -> None:
    functions = next(group for group in GROUPS if group.name == name).functions
    modules = [f"mangavid.states.{FOLDERS[function]}" for function in functions if function in FUNCTIONS]
    handlers = [HANDLERS[function].rpartition(".")[0] for function in functions if function in WRITTEN]
    code = f"""
import importlib
assert all(callable(importlib.import_module(module).handle) for module in {modules})
assert all(callable(importlib.import_module(module).handler) for module in {handlers})
"""
    alone([here[name], runtime], code, cwd=tmp_path)


def test_the_fetcher_s_package_takes_pages_in_and_finds_their_panels(
    here: dict[str, Path], runtime: Path, tmp_path: Path
) -> None:
    (tmp_path / "chapter").mkdir()
    for number in (1, 2):
        (tmp_path / "chapter" / f"{number}.png").write_bytes(png(small_page(number, (600, 850))))
    code = """
from pathlib import Path
from mangavid.panels import PageImage, split
from mangavid.sources.local import ChapterSource
source = ChapterSource([Path("chapter")], lambda data: {})
(found,) = source.find()
fetched = source.fetch(found)
images = [PageImage(number, page.width, page.height, page.data) for number, page in enumerate(fetched.pages)]
print(len(fetched.pages), len(split(images, "rtl")) >= 2)
"""
    assert alone([here["fetcher"], runtime], code, cwd=tmp_path) == "2 True\n"


def test_the_ttsgen_package_speaks(here: dict[str, Path], runtime: Path, tmp_path: Path) -> None:
    code = """
import edge_tts
from mangavid import config
from mangavid.voices.espeak import EspeakVoice
said = EspeakVoice(config.Voice()).speak("Xin chào các bạn")
print(said.samples > 24_000, len(said.words))
"""
    assert alone([here["ttsgen"], runtime], code, cwd=tmp_path) == "True 4\n"


def test_the_scriptgen_package_can_show_pictures_to_a_model(
    here: dict[str, Path], runtime: Path, tmp_path: Path
) -> None:
    code = """
import io, openai
from PIL import Image
openai.OpenAI(api_key="none", base_url="http://127.0.0.1:9").chat.completions
Image.new("RGB", (8, 8)).save(out := io.BytesIO(), "JPEG")
from mangavid.writers.offline import OfflineWriter
print(out.getvalue()[:2])
"""
    assert alone([here["scriptgen"], runtime], code, cwd=tmp_path) == "b'\\xff\\xd8'\n"


def test_the_control_package_knows_the_quota_day(here: dict[str, Path], runtime: Path, tmp_path: Path) -> None:
    code = """
import zoneinfo
zoneinfo.reset_tzpath([])  # a Lambda has no zones of its own
print(zoneinfo.ZoneInfo("America/Los_Angeles").key)
import mangavid.quota, mangavid.states.check_quota, mangavid.states.start_renderer
"""
    assert alone([here["control"], runtime], code, cwd=tmp_path) == "America/Los_Angeles\n"


def test_the_functions_packages_take_a_chapter_to_its_speech(
    here: dict[str, Path], runtime: Path, tmp_path: Path
) -> None:
    """Each handler called as Lambda calls it, in a process of its own from its own package, against moto."""
    import boto3

    with moto_server() as url:
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "MANGAVID_TABLE": "the-table",
            "MANGAVID_BUCKET": "the-bucket",
            "MANGAVID_STATE_MACHINE": "arn:aws:states:eu-west-1:123456789012:stateMachine:manga-pipeline",
        }
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        session = boto3.Session(region_name="eu-west-1", **keys)
        s3, dynamodb = (session.client(name, endpoint_url=url) for name in ("s3", "dynamodb"))
        s3.create_bucket(Bucket="the-bucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        dynamodb.create_table(**table_definition("the-table"))
        pages = [(f"{number}.png", png(small_page(number, (600, 850)))) for number in (1, 2)]
        chapter = pack(tmp_path / "chapter.cbz", pages).read_bytes()
        s3.put_object(Bucket="the-bucket", Key="library/Đảo/Đảo 1.cbz", Body=chapter)

        def call(function: str, **more: str) -> dict[str, Any]:
            event = {"run": "a-run", "execution": f"{variables['MANGAVID_STATE_MACHINE']}:a-run", **more}
            group = next(group for group in GROUPS if function in group.functions)
            module = HANDLERS[function].rpartition(".")[0]
            code = f"import json; from {module} import handler; print(json.dumps(handler({event!r}, None)))"
            lines = alone([here[group.name], runtime], code, cwd=tmp_path, **variables).splitlines()
            return dict(json.loads(lines[-1]))

        assert call("check-quota", started="2026-11-23T00:00:00Z")["quota_reached"] is False
        fetched = call("fetcher")
        assert fetched["status"] == "success"
        assert call("scriptgen", job_id=fetched["job_id"])["scenes"] == 2
        assert call("ttsgen", job_id=fetched["job_id"])["seconds"] > 1
        assert call("increment-counter", job_id=fetched["job_id"])["daily_count"] == 0


def test_the_worker_s_package_has_all_that_a_video_and_its_upload_need(here: dict[str, Path], tmp_path: Path) -> None:
    code = f"""
import subprocess, botocore.session
import mangavid.workers.render, mangavid.workers.upload
from mangavid.video import check, encoder, ffmpeg, frames, lettering, mux, music, pictures, sound, thumbnail
print("libx264" in subprocess.run([ffmpeg.binary(), "-version"], capture_output=True, text=True).stdout)
print(lettering.FONT.exists())
session = botocore.session.get_session()
print(all(session.create_client(name, region_name="eu-west-1") for name in {WORKER_SERVICES}))
from mangavid.aws import environment, target_of
told = {{"MANGAVID_TABLE": "t", "MANGAVID_BUCKET": "b", "AWS_REGION": "eu-west-1"}}
print(target_of(environment.read(told)).publisher().name)
told["MANGAVID_SETTINGS"] = '{{"publisher": {{"kind": "youtube"}}}}'
publisher = target_of(environment.read(told)).publisher()
print(publisher.name)
from mangavid.errors import AuthError, PublishError, UpstreamUnavailable
from mangavid.publishers import youtube_api
print(youtube_api.__name__)
"""
    assert alone([here["worker"]], code, cwd=tmp_path) == "True\n" * 3 + (
        "folder\nyoutube\nmangavid.publishers.youtube_api\n"
    )
