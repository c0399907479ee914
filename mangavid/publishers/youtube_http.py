"""Requests to YouTube as the logged-in channel: one connection pool, time-outs on everything, nothing repeated unseen.

Neither of the usual carriers is used under google-api-python-client. httplib2 repeats a request by itself when the
connection breaks, also one that was carried out, and takes 308 («go on» of a resumable upload) for a redirection;
google-auth sleeps and reads the time on its own. Here a request is sent once, and the caller decides what follows.
"""

from __future__ import annotations

import io
import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode, urlsplit

import urllib3

from mangavid.config import Youtube
from mangavid.errors import AuthError
from mangavid.ports import Clock
from mangavid.publishers.youtube_errors import LOGIN, Lost, Refused, error, passes, refused
from mangavid.version import __version__

T = TypeVar("T")

#: No answer that is expected comes near it.
ANSWER_BYTES = 8 << 20
#: An access token is renewed so long before it ends.
_EARLY = 120.0
_AGENT = f"mangavid/{__version__}"


class Reply(NamedTuple):
    """``headers`` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Http:
    """``send`` for our own requests, ``request`` for those that google-api-python-client makes."""

    def __init__(
        self, settings: Youtube, token: Callable[[], str], *, clock: Clock, timeout: float = 60.0, whole: float = 300.0
    ) -> None:
        """``timeout``: seconds in which the other side must do anything; ``whole``: for all of one answer."""
        self._settings = settings
        self._token = token
        self._clock = clock
        self._whole = whole
        self._pool = _pool(settings.api, timeout)
        self._access = ""
        self._until = 0.0

    def send(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send as the channel; a refused access token is renewed once. Raises Lost, Refused (by the login), AuthError.

        The answer may be of any status.
        """
        for last in (False, True):
            known = {**(headers or {}), "Authorization": f"Bearer {self._bearer()}"}
            reply = self._once(method, url, known, body)
            if reply.status != 401 or last:
                break
            self._access = ""
        return reply

    def ready(self) -> None:
        """Log in where that is due: before a request is counted, so that a login that fails costs nothing."""
        self._bearer()

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        **_unused: Any,
    ) -> tuple[Any, bytes]:
        """The form of httplib2.Http."""
        import httplib2  # type: ignore[import-untyped,unused-ignore]

        data = body.encode() if isinstance(body, str) else body or b""
        reply = self.send(method, uri, headers, data)
        return httplib2.Response({**reply.headers, "status": str(reply.status)}), reply.body

    def _bearer(self) -> str:
        if not self._access or self._clock.monotonic() >= self._until:
            self._renew()
        return self._access

    def _renew(self) -> None:
        login = credentials(self._token())
        form = urlencode({**login, "grant_type": "refresh_token"}).encode()
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        reply = self._once("POST", self._settings.login, head, form)
        if reply.status != 200:
            raise refused(reply.status, reply.body, reply.headers.get("retry-after", ""))
        told = as_object(reply.body)
        access, lasts = told.get("access_token"), told.get("expires_in")
        # Printable ASCII without spaces: anything else could end the header it is put into.
        if not isinstance(access, str) or not access.isascii() or not access.isprintable() or " " in access:
            raise Lost("the login answered without an access token")
        seconds = float(lasts) if isinstance(lasts, int | float) and 0 < lasts < 1e6 else 600.0
        self._access, self._until = access, self._clock.monotonic() + max(seconds - _EARLY, seconds / 2)

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        head = {name.lower(): value for name, value in headers.items()}
        head |= {"user-agent": _AGENT, "accept-encoding": "identity", "content-length": str(len(body))}
        ends = self._clock.monotonic() + self._whole
        try:
            # As a file it is sent in small parts, each with the time-out; as bytes all of it would have to be gone
            # within one, which is too short for a slow line.
            answer = self._pool.request(
                method, url, headers=head, body=io.BytesIO(body), preload_content=False, redirect=False, retries=False
            )
            try:
                data = self._read(answer, ends)
            except BaseException:
                answer.close()
                raise
            answer.release_conn()
        except (urllib3.exceptions.HTTPError, OSError) as problem:
            raise Lost(_why(problem)) from None
        except ValueError:  # an answer that is no HTTP at all
            raise Lost("the answer can't be read") from None
        return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, data)

    def _read(self, answer: urllib3.BaseHTTPResponse, ends: float) -> bytes:
        data = bytearray()
        while part := answer.read1(1 << 16):
            data += part
            if len(data) > ANSWER_BYTES:
                raise Lost("the answer is too long")
            if self._clock.monotonic() > ends:
                raise Lost("the answer takes too long")
        return bytes(data)


class Patience:
    """Trying again what passes by itself: waits double, and chance cuts each, so that many don't come at once."""

    def __init__(
        self, clock: Clock, jitter: Callable[[], float], *, tries: int = 6, first: float = 1.0, most: float = 60.0
    ) -> None:
        """``jitter`` gives a number from 0 to 1."""
        self._clock = clock
        self._jitter = jitter
        self.tries = tries
        self._first = first
        self._most = most

    def __call__(self, doing: str, attempt: Callable[[], T]) -> T:
        """The attempt's result. A refusal for good comes through as Refused; raises UpstreamUnavailable after all."""
        for n in range(self.tries):
            try:
                return attempt()
            except (Lost, Refused) as problem:
                if isinstance(problem, Refused):
                    problem.doing = doing
                if not passes(problem):
                    raise
                if n + 1 == self.tries:
                    raise error(problem, doing) from None
                self.wait(n, problem)
        raise AssertionError("tries is at least 1")

    def wait(self, n: int, problem: Lost | Refused | None = None) -> None:
        """Before the attempt after the n-th, counted from 0."""
        seconds = min(self._most, self._first * 2.0**n) * (0.5 + self._jitter() / 2)
        asked = problem.after if isinstance(problem, Refused) else 0.0
        self._clock.sleep(max(seconds, min(asked, self._most)))


def credentials(text: str) -> dict[str, str]:
    """What a login consists of. Raises AuthError, which holds nothing of it."""
    fields = ("client_id", "client_secret", "refresh_token")
    try:
        found = as_object(text.encode(errors="replace"))
    except Lost:
        raise AuthError("the secret youtube-token is no JSON object", hint=LOGIN) from None
    told = {name: found.get(name) for name in fields}
    login = {name: value for name, value in told.items() if isinstance(value, str) and value.strip()}
    if len(login) < len(fields):
        missing = ", ".join(name for name in fields if name not in login)
        raise AuthError(f"the secret youtube-token is no login: {missing} is missing", hint=LOGIN)
    return login


def as_object(body: bytes) -> dict[str, Any]:
    """The JSON object in an answer. Raises Lost where there is none: an answer cut short, or somebody else's."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Lost("the answer is no JSON object")
    return found


def _pool(api: str, timeout: float) -> urllib3.PoolManager:
    times = urllib3.Timeout(connect=timeout, read=timeout)
    parts = urlsplit(api)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy, timeout=times, maxsize=2, blocksize=1 << 16)
    return urllib3.PoolManager(timeout=times, maxsize=2, blocksize=1 << 16)


def _why(problem: Exception) -> str:
    """In our words: the library's own carry addresses, and the address of an upload is a secret."""
    if isinstance(problem, urllib3.exceptions.NameResolutionError):
        return "its name can't be resolved"
    if isinstance(problem, urllib3.exceptions.SSLError):
        return "the connection is not secure (TLS)"
    if isinstance(problem, urllib3.exceptions.ProxyError):
        return "the proxy does not let it through"
    if isinstance(problem, urllib3.exceptions.NewConnectionError):
        return "no connection"
    if isinstance(problem, urllib3.exceptions.TimeoutError | TimeoutError):
        return "it does not answer in time"
    return "the connection broke"
