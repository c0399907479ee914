"""Settings: precedence, origins, and bad files told all at once by file, line and key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mangavid.config import Config
from mangavid.configfile import (
    NOT_PATHS,
    PATHS,
    SHORTHANDS,
    allowed,
    description,
    example,
    find_file,
    load_config,
    settings,
    user_folder,
    value_of,
)
from mangavid.errors import ConfigError
from mangavid.yamlfile import load


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty working directory, with no settings of the person who runs the tests."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def problem(text: str, env: dict[str, str] | None = None) -> ConfigError:
    Path("mangavid.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(env=env or {})
    return caught.value


# --- precedence -----------------------------------------------------------------------------------------------------


def test_without_a_file_every_value_is_the_default(folder: Path) -> None:
    loaded = load_config(env={})
    assert loaded.config == Config()
    assert loaded.file is None
    assert set(loaded.origins.values()) == {"default"}


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(folder: Path) -> None:
    Path("mangavid.yaml").write_text("local:\n  home: from-file\nvideo:\n  fps: 25\n  crf: 18\nvoice:\n")
    env = {"MANGAVID_LOCAL_HOME": "from-env", "MANGAVID_VIDEO_FPS": "60"}
    loaded = load_config(flags={"local.home": ("--home", "from-flag")}, env=env)
    assert loaded.config.local.home == str(folder / "from-flag")
    assert loaded.config.video.fps == 60
    assert loaded.config.video.crf == 18
    assert loaded.config.video.width == 1920
    assert loaded.origins["local.home"] == "flag --home"
    assert loaded.origins["video.fps"] == "env MANGAVID_VIDEO_FPS"
    assert loaded.origins["video.crf"] == "mangavid.yaml:5"
    assert loaded.origins["video.width"] == "default"
    assert load_config(env=env).config.local.home == str(folder / "from-env")
    assert load_config(env={}).config.local.home == str(folder / "from-file")


def test_the_short_name_of_the_home_gives_way_to_the_long_one(folder: Path) -> None:
    loaded = load_config(env={"MANGAVID_HOME": "/a"})
    assert (loaded.config.local.home, loaded.origins["local.home"]) == ("/a", "env MANGAVID_HOME")
    loaded = load_config(env={"MANGAVID_HOME": "/a", "MANGAVID_LOCAL_HOME": "/b"})
    assert (loaded.config.local.home, loaded.origins["local.home"]) == ("/b", "env MANGAVID_LOCAL_HOME")


def test_an_empty_variable_counts_as_not_set(folder: Path) -> None:
    assert load_config(env={"MANGAVID_VIDEO_FPS": "", "MANGAVID_CONFIG": ""}).config == Config()


def test_environment_values_become_the_types_of_their_settings(folder: Path) -> None:
    env = {
        "MANGAVID_VIDEO_FPS": "24",
        "MANGAVID_VIDEO_CAPTIONS": "false",
        "MANGAVID_VIDEO_LOUDNESS": "-16",
        "MANGAVID_LANGUAGE": "vi",
        "MANGAVID_VIDEO_WIDTH": "1280",
    }
    video = load_config(env=env).config.video
    assert (video.fps, video.captions, video.loudness, video.width) == (24, False, -16.0, 1280)


def test_variables_that_are_not_settings_are_left_alone(folder: Path) -> None:
    load_config(env={"MANGAVID_DEBUG": "1", "MANGAVID_FAULT": "x:kill", "MANGAVID_TOKEN": "t", "HOME": "/nowhere"})


# --- finding the file -----------------------------------------------------------------------------------------------


def test_the_file_is_looked_for_in_order(folder: Path) -> None:
    env = {"HOME": str(folder / "me"), "XDG_CONFIG_HOME": str(folder / "xdg")}
    assert find_file(None, env) is None
    user = folder / "xdg" / "mangavid" / "config.yaml"
    user.parent.mkdir(parents=True)
    user.touch()
    assert find_file(None, env) == user
    Path("mangavid.yaml").touch()
    assert find_file(None, env) == Path("mangavid.yaml")
    Path("other.yaml").touch()
    assert find_file(None, env | {"MANGAVID_CONFIG": "other.yaml"}) == Path("other.yaml")
    Path("flag.yaml").touch()
    assert find_file(Path("flag.yaml"), env | {"MANGAVID_CONFIG": "other.yaml"}) == Path("flag.yaml")


def test_a_relative_configuration_folder_is_ignored_as_its_specification_says() -> None:
    found = user_folder({"HOME": "/home/me", "XDG_CONFIG_HOME": "relative"})
    assert found is not None
    assert found.is_absolute()
    assert user_folder({}) is None


def test_a_named_file_that_is_missing_is_said_with_who_named_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"--config no\.yaml: there is no such file"):
        load_config(Path("no.yaml"), env={})
    with pytest.raises(ConfigError, match=r"MANGAVID_CONFIG no\.yaml: there is no such file"):
        load_config(env={"MANGAVID_CONFIG": "no.yaml"})
    with pytest.raises(ConfigError, match="this is a folder"):
        load_config(folder, env={})
    with pytest.raises(ConfigError, match="there is no such user"):
        load_config(Path("~nobody-of-this-name/x.yaml"), env={})


def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo("pipe.yaml")
    with pytest.raises(ConfigError, match="there is no such file"):
        load_config(Path("pipe.yaml"), env={})


# --- paths ----------------------------------------------------------------------------------------------------------


def test_paths_in_a_file_are_relative_to_that_file(folder: Path) -> None:
    (folder / "etc").mkdir()
    (folder / "etc" / "c.yaml").write_text(
        "source:\n  library: ../chapters\nvideo:\n  music: bed.ogg\npublisher:\n  folder: /srv/out\n"
    )
    config = load_config(Path("etc/c.yaml"), env={}).config
    assert Path(config.source.library).resolve() == (folder / "chapters").resolve()
    assert config.video.music == str(folder / "etc" / "bed.ogg")
    assert config.publisher.folder == "/srv/out"
    assert config.local.home == ""


def test_the_words_of_the_music_setting_are_not_paths(folder: Path) -> None:
    Path("mangavid.yaml").write_text("video:\n  music: none\n")
    assert load_config(env={}).config.video.music == "none"


def test_a_tilde_is_expanded(folder: Path) -> None:
    Path("mangavid.yaml").write_text("local:\n  home: ~/manga\n")
    assert load_config(env={}).config.local.home == str(Path.home() / "manga")


def test_a_path_stays_one_argument_whatever_it_begins_with(folder: Path) -> None:
    Path("mangavid.yaml").write_text("local:\n  home: --upload-file=/etc/passwd\n")
    assert load_config(env={}).config.local.home == f"{folder}/--upload-file=/etc/passwd"


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.text(min_size=1))
def test_any_text_as_a_path_becomes_absolute_or_is_refused_in_one_line(text: str) -> None:
    try:
        home = load_config(flags={"local.home": ("--home", text)}, env={}).config.local.home
    except ConfigError as refused:
        assert "local.home" in str(refused)
        assert "\n" not in str(refused)
    else:
        assert Path(home).is_absolute()
        assert "\0" not in home


def test_every_setting_that_is_a_path_exists_in_the_schema() -> None:
    keys = {setting.key for setting in settings()}
    assert keys >= PATHS
    assert set(SHORTHANDS.values()) <= keys
    assert set(NOT_PATHS) <= PATHS


# --- what is wrong --------------------------------------------------------------------------------------------------

_OUT_OF_RANGE = [
    ("quota.daily", ["0", "-1", "101", "1000000000000000000000000"]),
    ("voice.words_per_minute", ["79", "301"]),
    ("voice.pitch", ["-1", "100"]),
    ("video.width", ["318", "3842", "1921"]),
    ("video.height", ["238", "2162", "1081"]),
    ("video.crf", ["9", "36"]),
    ("video.crossfade", ["-0.1", "1.01", "1e40"]),
    ("video.pause", ["-1", "3.5"]),
    ("video.min_panel", ["0.5", "21"]),
    ("video.loudness", ["-31", "-7.5", "14"]),
    ("video.music_level", ["-41", "0"]),
    ("local.encoders", ["-1", "65"]),
]
_NOT_ALLOWED = [
    ("target", ["cloud", "locale", "'local '", "1"]),
    ("language", ["fr", "VI", "no"]),
    ("source.direction", ["right", "RTL", "12"]),
    ("writer.kind", ["chatgpt", "off-line"]),
    ("voice.engines", ["[espeak-ng]", "[edge, azure]", "edge", "[]", "[[edge]]"]),
    ("mangadex.ratings", ["[safe, wild]", "safe"]),
    ("rights.basis", ["fair use", "mine"]),
    ("youtube.publish_at", ["24:00", "9:00", "9am"]),
    ("writer.base_url", ["api.openai.com", "ftp://x/v1", "https://"]),
    ("voice.name", ["vi-VN-HoaiMyNeural", "northern"]),
    ("video.fps", ["29", "23.976", "31", "'30'", "60.0"]),
    ("publisher.kind", ["vimeo"]),
]
_WRONG_TYPE = [
    ("quota.daily", ["three", "'3'", "3.0", "true", "", "~", "[3]", "{a: 1}", "1:30", "0b11"]),
    ("video.captions", ["yes", "NO", "on", "1", "0", "'true'", "", "[]"]),
    ("writer.ocr", ["y", "off", "2", "auto"]),
    ("video.crossfade", ["none", "'0.3'", "true", "0.3s", "", "{}"]),
    ("video.width", ["1920.5", "1920px", "1_920", "FHD"]),
    ("source.library", ["12", "1.5", "true", "[a, b]", "{a: b}", "~"]),
    ("local.home", ["010", "false"]),
    ("publisher.folder", ["5", "[x]"]),
    ("video.music", ["3", "false"]),
]
_UNKNOWN = [
    ("video.widht", "video.width"),
    ("video.Width", "video.width"),
    ("video.frames", None),
    ("voice.words_per_minutes", "voice.words_per_minute"),
    ("voice.fps", "video.fps"),
    ("voice.speed", "piper.speed"),
    ("voice.kind", "source.kind"),
    ("vidoe.width", "video"),
    ("width", "video.width"),
    ("daily", "quota.daily"),
    ("quota.dialy", "quota.daily"),
    ("langauge", "language"),
    ("local.hme", "local.home"),
    ("local.encoder", "local.encoders"),
    ("source.libary", "source.library"),
    ("publisher.dir", None),
    ("zzz", None),
    ("quota.1", None),
]


def _nested(key: str, value: str) -> tuple[str, int]:
    """A file with this key in it on the line that is returned."""
    head, _, name = key.rpartition(".")
    if not head:
        return f"# one\n# two\n{name}: {value}\n", 3
    return f"# one\n{head}:\n\n  {name}: {value}\n", 4


BAD = [
    (key, value) for group in (_OUT_OF_RANGE, _NOT_ALLOWED, _WRONG_TYPE) for key, values in group for value in values
]


def test_there_are_more_than_a_hundred_bad_settings_here() -> None:
    assert len(BAD) + len(_UNKNOWN) > 100


@pytest.mark.parametrize(("key", "value"), BAD)
def test_a_bad_value_is_named_with_file_line_key_value_and_what_is_allowed(folder: Path, key: str, value: str) -> None:
    text, line = _nested(key, value)
    refused = problem(text)
    message = str(refused)
    assert message.startswith(f"mangavid.yaml:{line}: {key}: ")
    assert "\n" not in message
    assert len(message) < 250
    assert refused.exit_code == 2
    kind = next(setting.type for setting in settings() if setting.key == key)
    assert allowed(kind) in message


@pytest.mark.parametrize(("key", "meant"), _UNKNOWN)
def test_an_unknown_key_is_named_with_its_line_and_what_was_meant(folder: Path, key: str, meant: str | None) -> None:
    text, line = _nested(key, "1")
    message = str(problem(text))
    expected = key if "." not in key or key.split(".")[0] in Config.__struct_fields__ else key.split(".")[0]
    where = line if expected == key else 2
    tail = f" (did you mean {meant}?)" if meant else ""
    assert message == f"mangavid.yaml:{where}: {expected}: there is no such setting{tail}"


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("video.fps", "29", "30"),
        ("video.fps", "59.94", "60"),
        ("video.width", "1921", "1920"),
        ("video.width", "9000", "3840"),
        ("video.width", "1", "320"),
        ("video.captions", "yes", "true"),
        ("video.captions", "NO", "false"),
        ("video.crf", "99", "35"),
        ("video.loudness", "-99", "-30.0"),
        ("video.loudness", "0", "-8.0"),
        ("source.direction", "RTL", "rtl"),
        ("voice.engines", "[edge, espeak-ng]", "espeak"),
        ("voice.engines", "edgy", "[edge]"),
        ("mangadex.titles", "Akira", "[Akira]"),
        ("language", "VI", "vi"),
        ("quota.daily", "'3'", "3"),
    ],
)
def test_the_nearest_allowed_value_is_suggested(folder: Path, key: str, value: str, meant: str) -> None:
    assert str(problem(_nested(key, value)[0])).endswith(f"(did you mean {meant}?)")


def test_a_number_where_text_belongs_is_told_to_be_quoted(folder: Path) -> None:
    assert str(problem("source:\n  library: 12\n")) == (
        "mangavid.yaml:2: source.library: 12 is not text; put it in quotes"
    )


def test_a_key_without_a_value_is_told_the_default(folder: Path) -> None:
    assert str(problem("video:\n  fps:\n")) == (
        "mangavid.yaml:2: video.fps: nothing is given; write one of 24, 25, 30, 48, 50, 60, or remove the line for 30"
    )


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("- a\n- b\n", 1, "not a list"),
        ("just words\n", 1, "not 'just words'"),
        ("video: 1080p\n", 1, "video: '1080p' stands where settings of this section should"),
        ("video: [1920, 1080]\n", 1, "video: a list stands where"),
        ("video.fps: 30\n", 1, "video.fps: there is no such setting"),
        ("video:\n  fps: 30\n  fps: 30\n", 3, "'fps' is given twice"),
        ("video: &v\n  fps: 30\n", 1, "anchors"),
        ("video: !!map {}\n", 1, "tag"),
        ("a\x1b[2Jb: 1\n", 1, "U+001B"),
    ],
)
def test_a_file_of_another_shape_is_refused_with_its_line(folder: Path, text: str, line: int, says: str) -> None:
    message = str(problem(text))
    assert message.startswith(f"mangavid.yaml:{line}: ")
    assert says in message


def test_everything_that_is_wrong_is_told_at_once(folder: Path) -> None:
    text = "video:\n  fps: 31\n  widht: 5\nvoice:\n  pitch: high\nlanguage: fr\n"
    env = {"MANGAVID_VIDEO_CRF": "99", "MANGAVID_VOCIE_NAME": "x", "MANGAVID_VIDEO_NOPE": "1"}
    with pytest.raises(ConfigError) as caught:
        Path("mangavid.yaml").write_text(text)
        load_config(flags={"local.home": ("--home", "a\0b")}, env=env)
    assert str(caught.value).split("\n") == [
        "8 settings are wrong:",
        "  mangavid.yaml:3: video.widht: there is no such setting (did you mean video.width?)",
        "  env MANGAVID_VIDEO_NOPE: there is no such setting",
        "  env MANGAVID_VOCIE_NAME: there is no such setting (did you mean MANGAVID_VOICE_NAME?)",
        "  mangavid.yaml:2: video.fps: 31 is not one of 24, 25, 30, 48, 50, 60 (did you mean 30?)",
        "  mangavid.yaml:5: voice.pitch: 'high' is not a whole number from 0 to 99",
        "  mangavid.yaml:6: language: 'fr' is not one of en, vi",
        "  env MANGAVID_VIDEO_CRF: video.crf: '99' is not a whole number from 10 to 35 (did you mean 35?)",
        "  flag --home: local.home: 'a\\u0000b' is not a path",
    ]


@pytest.mark.parametrize("value", ["yes", "2", "nan", "inf", "1e999", "true", "-", "9" * 5000, "１２"])
@pytest.mark.parametrize("key", ["video.crossfade", "video.width", "quota.daily"])
def test_a_bad_variable_is_named(folder: Path, key: str, value: str) -> None:
    name = "MANGAVID_" + key.replace(".", "_").upper()
    if (key, value) == ("quota.daily", "2"):
        value = "200"
    with pytest.raises(ConfigError, match=rf"^env {name}: {key}: ") as caught:
        load_config(env={name: value})
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_said(folder: Path) -> None:
    if os.geteuid() == 0:
        Path("d").mkdir()
        link = Path("mangavid.yaml")
        link.symlink_to("/proc/self/mem")  # a file that can be opened, whose first bytes can't be read
    else:
        link = Path("mangavid.yaml")
        link.touch(mode=0)
    with pytest.raises(ConfigError, match="can't be read"):
        load_config(env={})


# --- the example ----------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parents[2] / "config.example.yaml"


def test_the_example_is_what_the_schema_generates() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") == example(), "run: mangavid config example > config.example.yaml"


def test_the_example_holds_every_setting_at_its_default_below_its_description() -> None:
    text = EXAMPLE.read_bytes()
    value, lines = load(text, "config.example.yaml")
    rows = text.decode().split("\n")
    for setting in settings():
        path = tuple(setting.key.split("."))
        found = value
        for part in path:
            found = found[part]
        found = tuple(found) if isinstance(found, list) else found
        assert found == setting.default == value_of(Config(), setting.key)
        assert type(found) is type(setting.default)
        assert rows[lines[path] - 2].strip() == f"# {description(setting)}"
    assert load_config(EXAMPLE, env={}).config == Config()


def test_every_line_of_the_example_fits_a_terminal_of_120_columns() -> None:
    assert max(map(len, example().splitlines())) <= 120


def test_every_setting_has_a_type_that_the_checks_can_put_in_words() -> None:
    for setting in settings():
        assert not allowed(setting.type).startswith("of type"), setting.key
        assert msgspec.convert(setting.default, setting.type) == setting.default


# --- settings with a form of their own ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "good", "bad"),
    [
        ("region", "ap-southeast-1", "Singapore"),
        ("prefix", "my-channel", "My_Channel"),
        ("prefix", "m2", "a-name-of-more-than-24-signs"),
        ("schedule", "rate(1 day)", "every day"),
        ("renderer_types", "c7g.xlarge, c8g.xlarge", "c7g"),
        ("subnets", "subnet-0123abcd, subnet-4567cdef", "subnet-0123abcd; subnet-4567cdef"),
        ("vpc", "vpc-0123abcd", "vpc-0123abcd\n"),
        ("image", "ami-0123abcd", "resolve:ssm:/image"),
        ("alarm_email", "me@example.org", "me"),
    ],
)
def test_a_name_on_aws_has_the_form_that_aws_takes(folder: Path, key: str, good: str, bad: str) -> None:
    assert getattr(load_config(env={f"MANGAVID_AWS_{key.upper()}": good}).config.aws, key) == good
    with pytest.raises(ConfigError, match=f"aws.{key}: .* is not text that fits "):
        load_config(env={f"MANGAVID_AWS_{key.upper()}": bad})
