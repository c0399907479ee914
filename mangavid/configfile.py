"""The settings: where they are looked for, which wins, and everything that is wrong with them at once.

A value is taken from the first of: a flag, the environment (``MANGAVID_<SECTION>_<KEY>``), the file, the default.
The file is the first of: ``--config FILE``, ``MANGAVID_CONFIG``, ``./mangavid.yaml``, ``config.yaml`` in the user's
configuration folder for mangavid. An empty variable counts as not set. Paths in a file are relative to that file,
others to the working directory; ``~`` is expanded.

msgspec reports the first error of a document only, so every value is converted by itself against its field's type in
``mangavid.config``.
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mangavid.config import Config
from mangavid.errors import ConfigError
from mangavid.yamlfile import SIZE, load, shown

PATHS = frozenset({"source.library", "publisher.folder", "local.home", "video.music", "piper.model"})
"""Settings that are a path."""
NOT_PATHS = {"video.music": ("auto", "none")}
"""Words that such a setting may hold instead."""
SHORTHANDS = {"MANGAVID_HOME": "local.home"}

Flags = Mapping[str, tuple[str, str]]
"""Setting → (the option as it is typed, its value)."""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting of the schema. ``key`` is dotted; ``type`` is the field's, with its constraints."""

    key: str
    type: Any
    default: Any

    @property
    def env(self) -> str:
        return "MANGAVID_" + self.key.replace(".", "_").upper()


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """``origins``: for each dotted key ``default``, ``file:line``, ``env NAME`` or ``flag --name``."""

    config: Config
    origins: dict[str, str]
    file: Path | None


class _Given(msgspec.Struct, frozen=True):
    """A value somebody gave: where they wrote it, and the folder that a relative path in it is relative to."""

    value: Any
    origin: str
    folder: Path
    text: bool  # from the environment or the command line, where a number is written as text


def settings(cls: type[msgspec.Struct] = Config, prefix: str = "") -> Iterator[Setting]:
    """Every setting, in the order of the schema."""
    for field in msgspec.structs.fields(cls):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from settings(field.type, f"{prefix}{field.name}.")
        else:
            yield Setting(key=prefix + field.name, type=field.type, default=field.default)


def load_config(path: Path | None = None, flags: Flags | None = None, env: Mapping[str, str] | None = None) -> Loaded:
    """The settings as they stand. Raises ConfigError with one line for each thing that is wrong."""
    env = os.environ if env is None else env
    schema = {setting.key: setting for setting in settings()}
    problems: list[str] = []
    given: dict[str, _Given] = {}

    file = find_file(path, env)
    if file is not None:
        given.update(_from_file(file, schema, problems))
    given.update(_from_env(env, schema, problems))
    for key, (option, value) in (flags or {}).items():
        given[key] = _Given(value, f"flag {option}", Path.cwd(), text=True)

    values: dict[str, Any] = {}
    for key, found in given.items():
        checked = _checked(schema[key], found, problems)
        if checked is not msgspec.UNSET:
            values[key] = checked
    if problems:
        raise ConfigError(problems[0] if len(problems) == 1 else "\n  ".join(_count(problems)))
    origins = {key: given[key].origin if key in given else "default" for key in schema}
    return Loaded(config=_assembled(values), origins=origins, file=file)


def _count(problems: list[str]) -> list[str]:
    return [f"{len(problems)} settings are wrong:", *problems]


def _assembled(values: Mapping[str, Any]) -> Config:
    """The Config with these values, each already checked."""

    def build(cls: type[msgspec.Struct], prefix: str) -> Any:
        fields: dict[str, Any] = {}
        for field in msgspec.structs.fields(cls):
            key = prefix + field.name
            if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
                fields[field.name] = build(field.type, f"{key}.")
            elif key in values:
                fields[field.name] = values[key]
        return cls(**fields)

    config = build(Config, "")
    assert isinstance(config, Config)
    return config


# --- finding and reading --------------------------------------------------------------------------------------------


def user_folder(env: Mapping[str, str]) -> Path | None:
    """mangavid's folder among the user's configuration (XDG base directories; their likes on macOS and Windows)."""
    if sys.platform == "win32":
        base = env.get("APPDATA")
        return Path(base) / "mangavid" if base else None
    home = env.get("HOME")
    xdg = env.get("XDG_CONFIG_HOME", "")
    if xdg.startswith("/"):  # the specification: a relative one is to be ignored
        return Path(xdg) / "mangavid"
    if not home:
        return None
    return Path(home) / ("Library/Application Support" if sys.platform == "darwin" else ".config") / "mangavid"


def find_file(path: Path | None, env: Mapping[str, str]) -> Path | None:
    """The file to read, or None. Raises ConfigError where one was named and is not there."""
    for named, by in ((path, "--config"), (env.get("MANGAVID_CONFIG"), "MANGAVID_CONFIG")):
        if named:
            return _named(Path(named), by)
    candidates = [Path("mangavid.yaml")]
    folder = user_folder(env)
    if folder is not None:
        candidates.append(folder / "config.yaml")
    return next((file for file in candidates if file.is_file()), None)


def _named(path: Path, by: str) -> Path:
    file = _expanded(path)
    if file.is_file():
        return file
    if file.is_dir():
        raise ConfigError(f"{by} {path}: this is a folder", hint="name the YAML file in it")
    raise ConfigError(f"{by} {path}: there is no such file", hint="mangavid config example > mangavid.yaml makes one")


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:
        raise ConfigError(f"{path}: there is no such user", hint="write the path out, without ~") from None


def _from_file(file: Path, schema: Mapping[str, Setting], problems: list[str]) -> dict[str, _Given]:
    try:
        with file.open("rb") as stream:
            data = stream.read(SIZE + 1)
    except OSError as problem:
        raise ConfigError(f"{file}: can't be read: {problem.strerror}") from None
    root, lines = load(data, str(file))
    given: dict[str, _Given] = {}
    if root is None:
        return given
    if not isinstance(root, dict):
        problems.append(f"{file}:1: settings are lines of «section:» and «key: value», not {shown(root)}")
        return given
    sections = {key.rpartition(".")[0] for key in schema} - {""}

    def walk(part: dict[str, Any], path: tuple[str, ...]) -> None:
        for name, value in part.items():
            here = (*path, name)
            key = ".".join(here)
            where = f"{file}:{lines[here]}"
            if "." in name or (key not in schema and key not in sections):
                problems.append(
                    f"{where}: {shown(key)[1:-1]}: there is no such setting{_like(key, path, schema, sections)}"
                )
            elif key in schema:
                given[key] = _Given(value, where, file.parent, text=False)
            elif isinstance(value, dict):
                walk(value, here)
            elif value is not None:
                problems.append(f"{where}: {key}: {shown(value)} stands where settings of this section should")

    walk(root, ())
    return given


def _like(key: str, path: tuple[str, ...], schema: Mapping[str, Setting], sections: set[str]) -> str:
    """« (did you mean …?)» for a key that does not exist: its neighbours first, then the same word elsewhere."""
    prefix = "".join(f"{part}." for part in path)
    word = key[len(prefix) :]
    every = [*schema, *sorted(sections)]
    near = {one[len(prefix) :]: one for one in every if one.startswith(prefix) and "." not in one[len(prefix) :]}
    close = difflib.get_close_matches(word.lower(), near, 1, 0.6)
    if close:
        return f" (did you mean {near[close[0]]}?)"
    leaf = word.rpartition(".")[2].lower()
    elsewhere = [one for one in every if one.rpartition(".")[2] == leaf]
    return f" (did you mean {elsewhere[0]}?)" if elsewhere else ""


def _from_env(env: Mapping[str, str], schema: Mapping[str, Setting], problems: list[str]) -> dict[str, _Given]:
    names = SHORTHANDS | {setting.env: setting.key for setting in schema.values()}
    given = {
        key: _Given(env[name], f"env {name}", Path.cwd(), text=True) for name, key in names.items() if env.get(name)
    }
    sections = tuple(f"MANGAVID_{key.partition('.')[0].upper()}_" for key in schema if "." in key)
    tails = [name.removeprefix("MANGAVID_") for name in names]
    for name in sorted(env):
        if name.startswith("MANGAVID_") and name not in names and name != "MANGAVID_CONFIG":
            close = difflib.get_close_matches(name.removeprefix("MANGAVID_"), tails, 1, 0.8)
            if close or name.startswith(sections):  # others are not settings, or not ours
                meant = f" (did you mean MANGAVID_{close[0]}?)" if close else ""
                problems.append(f"env {name}: there is no such setting{meant}")
    return given


# --- checking -------------------------------------------------------------------------------------------------------


def _checked(setting: Setting, given: _Given, problems: list[str]) -> Any:
    """The value as its field's type, or UNSET and one more problem."""
    value = given.value
    if given.text and _is_list(setting.type):
        value = [part for one in str(value).split(",") if (part := one.strip())]
    try:
        converted = msgspec.convert(value, setting.type, strict=not given.text)
    except (msgspec.ValidationError, ValueError):
        said = f"[{', '.join(str(one) for one in value)}]"[:80] if isinstance(value, list) else ""
        problems.append(f"{given.origin}: {setting.key}: {shown(said)[1:-1] or shown(value)} {_why(setting, value)}")
        return msgspec.UNSET
    if setting.key not in PATHS or not converted or converted in NOT_PATHS.get(setting.key, ()):
        return converted
    if "\0" in converted:
        problems.append(f"{given.origin}: {setting.key}: {shown(value)} is not a path")
        return msgspec.UNSET
    try:
        path = given.folder / _expanded(Path(converted))
        # What «..» means depends on the links before it, so only the system can take it out.
        return os.path.realpath(path) if ".." in path.parts else str(path.absolute())
    except ConfigError as problem:
        problems.append(f"{given.origin}: {setting.key}: {problem}")
        return msgspec.UNSET


def _why(setting: Setting, value: Any) -> str:
    what = allowed(setting.type)
    if value is None:
        return f"is given; write {what}, or remove the line for {plainly(setting.default)}"
    return f"is not {what}{_nearest(setting.type, value)}"


def _is_list(kind: Any) -> bool:
    from msgspec import inspect

    return isinstance(_unwrapped(kind), inspect.VarTupleType)


def allowed(kind: Any) -> str:
    """What a type lets through, in words."""
    from msgspec import inspect

    info = kind if isinstance(kind, inspect.Type) else _unwrapped(kind)
    match info:
        case inspect.LiteralType(values=values):
            words = [plainly(value) for value in values]
            return words[0] if len(words) == 1 else f"one of {', '.join(words)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() | inspect.FloatType():
            noun = "a whole number" if isinstance(info, inspect.IntType) else "a number"
            if info.ge is not None and info.le is not None:
                noun += f" from {info.ge} to {info.le}"
            return noun + (f", a multiple of {info.multiple_of}" if info.multiple_of else "")
        case inspect.StrType(pattern=pattern):
            return f"text that fits {pattern}" if pattern else "text"
        case inspect.VarTupleType(item_type=item):
            listed = isinstance(item, inspect.LiteralType)
            return f"a list of {allowed(item).removeprefix('one of ')}" if listed else "a list, such as [a, b]"
        case _:
            return f"of type {kind}"


def _nearest(kind: Any, value: Any) -> str:
    """« (did you mean …?)» where a value near the given one would be let through."""
    from msgspec import inspect

    info = _unwrapped(kind)
    meant = ""
    if isinstance(info, inspect.VarTupleType):
        if isinstance(info.item_type, inspect.LiteralType):
            words = [str(choice) for choice in info.item_type.values]
            wrong = [one for one in value if one not in words] if isinstance(value, list) else [value]
            meant = "".join(difflib.get_close_matches(str(wrong[0]).strip().lower(), words, 1, 0.6)) if wrong else ""
            return (
                f" (did you mean [{meant}]?)"
                if meant and not isinstance(value, list)
                else (f" (did you mean {meant}?)" if meant else "")
            )
        return f" (did you mean [{value}]?)" if isinstance(value, str | int | float) else ""
    if isinstance(info, inspect.BoolType):
        word = str(value).strip().lower()
        meant = {"yes": "true", "on": "true", "1": "true", "no": "false", "off": "false", "0": "false"}.get(word, "")
    elif isinstance(info, inspect.StrType):
        return "; put it in quotes" if isinstance(value, int | float) else ""
    elif isinstance(info, inspect.LiteralType):
        numbers = [choice for choice in info.values if isinstance(choice, int)]
        if numbers and isinstance(value, int | float) and not isinstance(value, bool):
            meant = str(min(numbers, key=lambda choice: abs(choice - value)))
        else:
            words = [str(choice) for choice in info.values]
            meant = "".join(difflib.get_close_matches(str(value).strip().lower(), words, 1, 0.6))
    elif isinstance(info, inspect.IntType | inspect.FloatType):
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            number = None
        if number is not None and info.ge is not None and info.le is not None:
            step = info.multiple_of or 1
            close = max(info.ge, min(info.le, number))
            meant = str(int(close // step * step) if isinstance(info, inspect.IntType) else close)
    return f" (did you mean {meant}?)" if meant and meant != "nan" else ""


def _unwrapped(kind: Any) -> Any:
    from msgspec import inspect

    info = inspect.type_info(kind)
    return info.type if isinstance(info, inspect.Metadata) else info


# --- showing --------------------------------------------------------------------------------------------------------


def plainly(value: Any) -> str:
    """A value as it is written in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(plainly(one) for one in value)}]"
    if isinstance(value, str):
        return value if value and value[0].isalpha() and value.isascii() and " " not in value else f'"{value}"'
    return str(value)


def value_of(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = config
    for part in key.split("."):
        value = getattr(value, part)
    return value


def description(setting: Setting) -> str:
    """The one line that explains a setting."""
    return str(next(meta.description for meta in setting.type.__metadata__ if isinstance(meta, msgspec.Meta)))


def example() -> str:
    """``config.example.yaml``: every setting with its line of why, its default, and what else it may be."""
    lines = [
        "# Every setting of mangavid, at its default. Copy what you change to mangavid.yaml in the folder you work in,",
        "# or to config.yaml in your configuration folder (~/.config/mangavid on Linux); or name a file with --config.",
        "# A flag wins over the environment (MANGAVID_VIDEO_FPS for video.fps), that over the file. Relative paths are",
        "# relative to the file. `mangavid config show` says what is in force and where it came from.",
    ]
    section = ""
    for setting in settings():
        head, _, name = setting.key.rpartition(".")
        if head != section:
            lines += ["", f"{head}:"]
            section = head
        elif not head:
            lines += [""]
        indent = "  " if head else ""
        words = allowed(setting.type)
        tail = "" if words.startswith(("text", "a list, such")) or words == plainly(setting.default) else f"  # {words}"
        lines += [f"{indent}# {description(setting)}", f"{indent}{name}: {plainly(setting.default)}{tail}"]
    return "\n".join(lines) + "\n"
