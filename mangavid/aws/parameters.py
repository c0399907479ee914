"""The secrets that the pipeline on AWS may be given: one table of what each is called and where a person gets it."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from mangavid.errors import UsageError

#: A standard parameter of SSM holds this many bytes; larger ones cost money and another tier.
MAX_BYTES: Final = 4096


class Secret(NamedTuple):
    """``name`` is typed; ``parameter`` stands below the channel's prefix, and ``ports.Secrets`` is asked for it.

    ``fields``: the value is a JSON object with these texts in it. Without any it is a key: one word in plain ASCII.
    """

    name: str
    parameter: str
    what: str
    where: str
    fields: tuple[str, ...] = ()
    #: Few need it: nobody is told to set it.
    optional: bool = False


SECRETS: Final = (
    Secret(
        "openai", "openai-api-key", "API key of the model that writes the narration", "platform.openai.com/api-keys"
    ),
    Secret(
        "youtube",
        "youtube-token",
        "OAuth client and refresh token of the channel that is published to",
        "an OAuth client for desktop apps at console.cloud.google.com, and the refresh token it was given",
        ("client_id", "client_secret", "refresh_token"),
    ),
    Secret(
        "speech",
        "speech-api-key",
        "API key of the speech server, where it is another than the writer's",
        "the provider of speech.base_url",
        optional=True,
    ),
)


def typed_as(parameter: str) -> str:
    """The name by which a person sets this parameter."""
    return next((secret.name for secret in SECRETS if secret.parameter == parameter), parameter)


def checked(secret: Secret, data: bytes) -> str:
    """The value as it is stored, without the line end behind it. Raises UsageError, which holds nothing of it."""
    text = _decoded(data)
    problem = _problem(secret, text)
    if text is None or problem:
        form = f"a JSON object with {_all(secret.fields)}" if secret.fields else "one word"
        raise UsageError(f"the value for {secret.name} {problem}", hint=f"{secret.what}: {form}, from {secret.where}")
    return text


def _decoded(data: bytes) -> str | None:
    # Errors of these decoders carry what they were given: none of them may get further than here.
    try:
        return data.decode("utf-8-sig").removesuffix("\n").removesuffix("\r")
    except UnicodeError:
        return None


def _problem(secret: Secret, text: str | None) -> str:
    """What is wrong with it, as the end of a sentence; empty where nothing is."""
    if text is None:
        return "is no text (UTF-8)"
    if not text.strip():
        return "is empty"
    if (size := len(text.encode())) > MAX_BYTES:
        return f"has more than {MAX_BYTES} bytes" if size > 2 * MAX_BYTES else f"has {size} bytes; {MAX_BYTES} fit"
    if not secret.fields:
        one_word = text.isascii() and text.isprintable() and " " not in text
        return "" if one_word else "holds a space, a line end or a letter that no key has"
    found = _parsed(text)
    if not isinstance(found, dict):
        return "is no JSON object"
    if missing := [field for field in secret.fields if field not in found]:
        return f"lacks {_all(missing)}"
    wrong = [field for field in secret.fields if not isinstance(found[field], str) or not found[field].strip()]
    return f"has no text as {_all(wrong)}" if wrong else ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _all(words: list[str] | tuple[str, ...]) -> str:
    """``a, b and c``."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
