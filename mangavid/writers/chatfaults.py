"""What an answer of a chat server that is no answer means: by its status, and by what the server says of it."""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec

from mangavid import config
from mangavid.errors import AuthError, ConfigError, MangavidError, ScriptInvalid, ScriptRefused
from mangavid.writers import titles
from mangavid.writers.telling import TooLong

#: A server that wants to be left alone for longer is not waited for: the run ends, and its answers are kept.
LONGEST_WAIT = 120.0

_BILLING = frozenset(
    (
        "insufficient_quota",
        "billing_not_active",
        "billing_hard_limit_reached",
        "insufficient_balance",
        "access_terminated",
    )
)
_REFUSED = re.compile(
    r"content_filter|content_policy|content management policy|moderation|safety system|prohibited_content"
)
_CONTEXT = re.compile(
    r"context_length|context length|context window|maximum context|too many tokens|request_too_large|payload too large"
    r"|too many images|input is too long|prompt is too long"
)
_FORMAT = re.compile(r"response_format|response format|json_schema|json_object|structured output|guided|grammar")
_ROOM = re.compile(r"max_tokens|max_completion_tokens|max_output_tokens")
_BLIND = re.compile(
    r"(?:not|n't) (?:support|accept|have|see|allow)\w*.{0,60}(?:image|vision|multimodal)|no endpoints?.{0,60}image"
    r"|only (?:supports? )?text|image(?:_url|s| inputs?)?\b.{0,40}not (?:supported|allowed|available)"
)
_SETTING = re.compile(r"unsupported_parameter|unsupported_value|unknown_parameter|unrecognized|not permitted|model")
_KEY = re.compile(r"\b(?:sk|pk|rk|key|Bearer)[-_ ][\w*.…-]{6,}", re.IGNORECASE)


class Again(Exception):
    """The cause is outside and passes by itself. ``paid``: the answer may have been charged nevertheless.

    ``after``: seconds the server asks to be left alone for; None where it does not say.
    """

    def __init__(self, why: str, *, after: float | None = None, paid: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.paid = paid


class Unable(Exception):
    """The server does not know a part of the request; another way to ask may do."""

    def __init__(self, part: Literal["format", "room"], why: str) -> None:
        super().__init__(why)
        self.part = part


class Said(msgspec.Struct, frozen=True):
    """A server's error: status, and what its body says, in small letters in ``all``, for people in ``why``."""

    status: int
    all: str
    why: str
    codes: frozenset[str] = frozenset()
    after: float | None = None


def host_of(base_url: str) -> str:
    """Host and port for messages: no user, no password."""
    return titles.plain(urlsplit(base_url).netloc.rpartition("@")[2], 100) or "the server"


def may_have_key(base_url: str) -> bool:
    """Whether a key may be sent there: encrypted, or to this machine or its private network.

    Over plain http to anywhere else, everyone on the way could read it.
    """
    parts = urlsplit(base_url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme == "https":
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".lan", ".home.arpa"))


def said(status: int, body: object, headers: Any, now: datetime, key: str) -> Said:
    """``body`` is the decoded JSON, or text. The key never gets into what it says."""
    error = body.get("error", body) if isinstance(body, dict) else body
    if isinstance(error, list) and error:
        error = error[0]
    fields: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    if isinstance(inner := fields.get("error"), dict):
        fields = inner
    message = fields.get("message") or fields.get("detail") or ""
    codes = [str(fields[name])[:80] for name in ("code", "type", "param", "status") if fields.get(name) is not None]
    text = message if isinstance(message, str) else str(message)
    whole = " ".join([text[:4000], *codes]).lower()
    if re.match(r"\s*<(?:!doctype|html)", text, re.IGNORECASE):
        text = "an HTML page"
    return Said(status, whole, clean(text, key), frozenset(code.lower() for code in codes), wanted(headers, now))


def clean(text: str, key: str) -> str:
    """A server's words for a message: one line, bounded, without the key or what looks like one."""
    text = text[:2000]
    if len(key) >= 6:
        text = text.replace(key, "…")
    return titles.plain(_KEY.sub("…", text), 200)


def wanted(headers: Any, now: datetime) -> float | None:
    """Seconds that ``Retry-After`` asks for (a number or a date); None where it is absent or makes no sense."""
    milli = _number(headers.get("retry-after-ms"))
    if milli is not None:
        return milli / 1000
    given = headers.get("retry-after")
    if (seconds := _number(given)) is not None:
        return seconds
    try:
        until = parsedate_to_datetime(str(given))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: object) -> float | None:
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if 0 <= value < 1e9 else None


def problem(said: Said, settings: config.Writer) -> Exception:
    """The exception to raise: Again, Unable, TooLong, or one of ours."""
    host = host_of(settings.base_url)
    why = f": {said.why}" if said.why else ""
    status = said.status
    if said.codes & _BILLING or status == 402:
        return AuthError(
            f"{host} wants to be paid first (HTTP {status}){why}",
            hint="look at the billing page of the provider's account: its credit or limit is used up",
        )
    if status in (400, 403, 422) and _REFUSED.search(said.all):
        return ScriptRefused(f"{host} refused to write about this chapter (HTTP {status}){why}")
    if status in (401, 403, 407):
        return AuthError(
            f"{host} does not accept the key (HTTP {status}){why}",
            hint="mangavid secrets set openai stores another one",
        )
    if status in (408, 409, 425, 429) or status >= 500:
        # A server that can't do schemas may answer 500 or 501 for ever.
        if status in (500, 501) and _FORMAT.search(said.all):
            return Unable("format", said.why)
        return Again(f"{host} answered HTTP {status}{why}", after=said.after)
    if status == 413 or _CONTEXT.search(said.all):
        return TooLong(said.why)
    if status in (400, 422):
        return _bad_request(said, settings, host, why)
    if status == 404 and _BLIND.search(said.all):
        return _blind(settings, host, why)
    if status == 404:
        return ConfigError(
            f"writer.model: {host} has no model {titles.plain(settings.model, 80)}, or is no such server{why}",
            hint="look at writer.model and writer.base_url; mangavid check --live asks the server",
        )
    return ConfigError(
        f"writer.base_url: {host} answered HTTP {status}{why}", hint="is it the address of a chat server?"
    )


def _bad_request(said: Said, settings: config.Writer, host: str, why: str) -> Exception:
    if _FORMAT.search(said.all):
        return Unable("format", said.why)
    if _ROOM.search(said.all):
        return Unable("room", said.why)
    if _BLIND.search(said.all):
        return _blind(settings, host, why)
    if _SETTING.search(said.all):
        return ConfigError(
            f"writer.model: {host} does not take the request for {titles.plain(settings.model, 80)}{why}",
            hint="look at writer.model and writer.base_url",
        )
    return ScriptInvalid(f"{host} does not take the request about this chapter (HTTP {said.status}){why}")


def _blind(settings: config.Writer, host: str, why: str) -> MangavidError:
    return ConfigError(
        f"writer.model: {titles.plain(settings.model, 80)} at {host} does not see pictures{why}",
        hint="take a model that does: writer.model",
    )
