"""A careful reader of HTTP: few hosts, bounded answers, never an address on the inside of a network.

Addresses come in answers from outside, so each is held against a list of hosts before it is asked. Names are resolved
here, only public addresses are dialled, and the peer is looked at once more before a byte is sent: a name that leads
to this machine, to a private network or to a cloud's metadata service gets nothing (H69). Redirects are not followed.
Plain http is spoken only with this machine, and only where a setting itself says so.

``HTTPS_PROXY`` and ``NO_PROXY`` are honoured, since some networks reset connections to the hosts read here; the proxy
then is the peer, and who sets it answers for it.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

import msgspec
import urllib3.exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers, parse_url

from mangavid.errors import ConfigError
from mangavid.version import __version__
from mangavid.webaddress import Refused, Where, covers, is_loopback, is_public, parse

_PIECE = 64 * 1024
_IDLE = 20.0
"""Seconds (real ones) that an unused connection is kept: servers close them, some without a word."""


class Broken(Exception):
    """No whole answer came, and why, in words that follow «host: ».

    ``kind``: resolve (no such name), peer (it leads to an inside address), connect, tls, proxy, timeout, cut, large,
    encoding, protocol.
    """

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


class Answer(msgspec.Struct, frozen=True):
    """``headers`` by their lower-case names; ``body`` is whole and decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Resolve = Callable[[str, int], Sequence[tuple[Any, ...]]]


def resolved(host: str, port: int) -> Sequence[tuple[Any, ...]]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


def agent(contact: str = "") -> str:
    """The User-Agent: who this is, in truth, and where to reach whoever runs it."""
    reach = "".join(c for c in contact if " " <= c <= "~" and c not in "()").strip()[:200]
    return f"mangavid/{__version__} (+{reach or 'mangavid'})"


class Web:
    """Reads from the given ``addresses`` (their scheme, host and port) and, over https, from ``hosts``.

    A host with a dot before it stands for all below it. Times are seconds: ``connect`` to connect, ``read`` between
    two pieces, ``deadline`` for a whole request. May be used by several threads.
    """

    def __init__(
        self,
        user_agent: str,
        addresses: Sequence[str],
        hosts: Sequence[str] = (),
        *,
        connect: float = 10.0,
        read: float = 20.0,
        deadline: float = 120.0,
        at_once: int = 2,
        resolve: Resolve = resolved,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        self._agent = user_agent
        self._hosts = tuple(host.strip().lower() for host in hosts if host.strip(" ."))
        self._connect, self._read, self._deadline = connect, read, deadline
        self._at_once = at_once
        self._resolve = resolve
        self._trust = trust
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str, int], list[tuple[float, _Plain | _Secure]]] = {}
        origins = []
        for address in addresses:
            try:
                where = parse(address)
            except Refused as why:
                raise ConfigError(f"{address[:200]!r} in the settings {why}") from None
            if where.scheme == "http" and not is_loopback(where.host):
                raise ConfigError(f"{where.scheme}://{where.host} in the settings: only https is spoken with the world")
            origins.append(where.origin)
        self._origins = frozenset(origins)
        #: The settings point at this machine over plain http, as tests do: then so may answers, to the hosts listed.
        self._local = any(scheme == "http" for scheme, _, _ in self._origins)

    def check(self, address: str) -> Where:
        """An address that may be asked, in its parts. Raises Refused."""
        where = parse(address)
        if where.origin in self._origins:
            return where
        listed = any(covers(host, where.host) for host in self._hosts)
        if listed and where.scheme == "https" and (where.port == 443 or where.port >= 1024):
            return where
        if listed and self._local and where.scheme == "http" and is_loopback(where.host):
            return where
        raise Refused("is not among the hosts that are asked")

    def get(self, address: str, limit: int, *, compressed: bool = False) -> Answer:
        """Raises Refused, Broken. At most ``limit`` bytes of body, counted as they are after decompression."""
        return self._ask("GET", address, limit, None, {"Accept-Encoding": "gzip" if compressed else "identity"})

    def post(self, address: str, body: bytes, limit: int = 64 * 1024) -> Answer:
        """Send JSON. Raises Refused, Broken."""
        return self._ask(
            "POST", address, limit, body, {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        )

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, {}
        for connections in idle.values():
            for _, connection in connections:
                connection.close()

    def _ask(self, method: str, address: str, limit: int, body: bytes | None, headers: dict[str, str]) -> Answer:
        where = self.check(address)
        connection = self._take(where)
        watch = _Watch(connection, self._deadline)
        whole = False
        try:
            answer, whole = self._exchange(connection, watch, method, where, limit, body, headers)
            return answer
        except Broken as problem:
            if not watch.expired:
                raise
            raise _told(problem, watch, self._deadline) from None
        except (
            urllib3.exceptions.HTTPError,
            http.client.HTTPException,
            OSError,
            ValueError,
            AttributeError,
        ) as problem:
            # An AttributeError is http.client's, where the watch closed a connection under its hands.
            if isinstance(problem, AttributeError) and not watch.expired:
                raise
            raise _told(problem, watch, self._deadline) from None
        finally:
            watch.stop()
            if whole and not watch.expired and connection.sock is not None:
                self._give(where, connection)
            else:
                connection.close()

    def _exchange(
        self,
        connection: _Plain | _Secure,
        watch: _Watch,
        method: str,
        where: Where,
        limit: int,
        body: bytes | None,
        headers: dict[str, str],
    ) -> tuple[Answer, bool]:
        if connection.sock is None:
            connection.timeout = self._connect
            connection.connect()
        watch.hold(connection.sock)
        connection.timeout = self._read
        headers = {"User-Agent": self._agent, "Accept": "*/*", **headers}
        connection.request(method, where.target, body, headers, preload_content=False, decode_content=False)
        response = connection.getresponse()
        try:
            return self._whole(response, watch, limit), True
        finally:
            # It holds the socket by itself where the server said that it will close.
            response.close()

    def _whole(self, response: BaseHTTPResponse, watch: _Watch, limit: int) -> Answer:
        said = {name.lower(): value for name, value in response.headers.items()}
        announced = said.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            raise Broken("large", f"its answer is larger than {_size(limit)}")
        inflate = _inflater(said.get("content-encoding", ""))
        data = bytearray()
        raw = 0
        while piece := response.read1(_PIECE, decode_content=False):
            raw += len(piece)
            data += inflate(piece, limit + 1 - len(data)) if inflate else piece
            if len(data) > limit or raw > limit:
                raise Broken("large", f"its answer is larger than {_size(limit)}")
        if watch.expired:
            raise Broken("timeout", f"it did not answer within {self._deadline:g} s")
        if announced.isdigit() and raw != int(announced):
            raise Broken("cut", "its answer ended early")
        if inflate and raw and not inflate.ended:
            raise Broken("cut", "its answer ended early")
        return Answer(response.status, said, bytes(data))

    def _take(self, where: Where) -> _Plain | _Secure:
        """An idle connection to there, else a new one that is not connected yet."""
        with self._lock:
            waiting = self._idle.get(where.origin, [])
            while waiting:
                since, connection = waiting.pop()
                if time.monotonic() - since < _IDLE and connection.is_connected:
                    return connection
                connection.close()
        return self._new(where)

    def _give(self, where: Where, connection: _Plain | _Secure) -> None:
        with self._lock:
            waiting = self._idle.setdefault(where.origin, [])
            if len(waiting) < self._at_once:
                waiting.append((time.monotonic(), connection))
                return
        connection.close()

    def _new(self, where: Where) -> _Plain | _Secure:
        inside = is_loopback(where.host)
        if where.scheme == "http":
            plain = _Plain(where.host, where.port)
            plain.dial = lambda: self._dial(where.host, where.port, inside)
            return plain
        proxy = None if inside else _proxy_for(where.host)
        trust = self._trust or ssl.create_default_context()
        if proxy is None:
            secure = _Secure(where.host, where.port, ssl_context=trust)
            secure.dial = lambda: self._dial(where.host, where.port, inside)
            return secure
        host, port, headers = proxy
        secure = _Secure(host, port, ssl_context=trust)
        secure.dial = lambda: socket.create_connection((host, port), self._connect)
        secure.set_tunnel(where.host, where.port, headers, scheme="http")
        return secure

    def _dial(self, host: str, port: int, inside: bool) -> socket.socket:
        """A connection to one of the host's addresses that may be dialled. Raises Broken, OSError."""
        try:
            found = self._resolve(host, port)
        except (socket.gaierror, UnicodeError):
            raise Broken("resolve", "its name was not found") from None
        good = [entry for entry in found if _may_dial(str(entry[4][0]), inside)]
        if not good:
            raise Broken("peer", "its name leads to an address inside a network, not on the internet")
        problem: OSError | None = None
        for family, kind, protocol, _, address in good[:4]:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(self._connect)
                sock.connect(address)
                if not _may_dial(str(sock.getpeername()[0]), inside):
                    raise Broken("peer", "it answers from an address inside a network")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as why:
                problem = why
                sock.close()
            except Broken:
                sock.close()
                raise
        assert problem is not None
        if isinstance(problem, TimeoutError):
            raise Broken("timeout", f"it could not be reached within {self._connect:g} s")
        raise Broken("connect", f"it could not be reached ({problem.strerror or 'an error of the network'})")


class _Plain(HTTPConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Secure(HTTPSConnection):
    dial: Callable[[], socket.socket]

    def _new_conn(self) -> socket.socket:
        return self.dial()


class _Watch:
    """Ends a request at its deadline whatever it is waiting for: a server that sends a byte now and then never times
    out by itself, neither in its headers nor in its body.
    """

    def __init__(self, connection: _Plain | _Secure, seconds: float) -> None:
        self.expired = False
        self._connection = connection
        self._held: Any = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True
        self._timer.start()

    def hold(self, sock: Any) -> None:
        """The socket by itself: a connection lets go of it where the server says it will close."""
        self._held = sock

    def stop(self) -> None:
        self._timer.cancel()
        self._held = None

    def _end(self) -> None:
        self.expired = True
        for sock in (self._held, self._connection.sock):
            if isinstance(sock, socket.socket):
                with suppress(OSError):
                    # Not ssl's own: that one also drops what another thread is reading with.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Inflate:
    """Gzip in bounded steps: no more comes out than was asked for, however much is packed in."""

    def __init__(self) -> None:
        self._gzip = zlib.decompressobj(31)

    @property
    def ended(self) -> bool:
        return self._gzip.eof

    def __call__(self, piece: bytes, most: int) -> bytes:
        try:
            return self._gzip.decompress(piece, max(1, most))
        except zlib.error:
            raise Broken("encoding", "its answer is badly compressed") from None


def _inflater(encoding: str) -> _Inflate | None:
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip"):
        return _Inflate()
    raise Broken("encoding", "its answer is compressed in a way that was not asked for")


def _told(problem: BaseException, watch: _Watch, deadline: float) -> Broken:
    if watch.expired:
        return Broken("timeout", f"it did not answer within {deadline:g} s")
    if isinstance(problem, urllib3.exceptions.ProtocolError) and isinstance(problem.args[-1], Exception):
        return _told(problem.args[-1], watch, deadline)  # it wraps what happened
    if isinstance(problem, TimeoutError | urllib3.exceptions.TimeoutError):
        return Broken("timeout", "it did not answer in time")
    if isinstance(problem, ssl.SSLCertVerificationError | ssl.CertificateError):
        return Broken("tls", "its certificate is not good")
    if isinstance(problem, ConnectionError | ssl.SSLError | urllib3.exceptions.SSLError):
        return Broken("cut", "the connection was cut")
    if isinstance(problem, urllib3.exceptions.IncompleteRead | http.client.IncompleteRead):
        return Broken("cut", "its answer ended early")
    if isinstance(problem, OSError):
        return Broken("proxy" if "Tunnel" in str(problem) else "connect", "no connection could be made")
    return Broken("protocol", "its answer is not proper HTTP")


def _may_dial(address: str, inside: bool) -> bool:
    return is_loopback(address) if inside else is_public(address)


def _proxy_for(host: str) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and headers of the proxy that the environment names for https. Raises Broken for an odd one."""
    proxies = getproxies_environment()
    named = proxies.get("https") or proxies.get("all")
    if not named or proxy_bypass(host):
        return None
    try:
        url = parse_url(named if "://" in named else f"http://{named}")
    except urllib3.exceptions.LocationParseError:
        raise Broken("proxy", "the proxy in HTTPS_PROXY is no address") from None
    if url.scheme != "http" or not url.host:
        raise Broken("proxy", "the proxy in HTTPS_PROXY is not an http:// one, and no other is spoken")
    headers = make_headers(proxy_basic_auth=unquote(url.auth)) if url.auth else {}
    return url.host, url.port or 80, dict(headers)


def _size(limit: int) -> str:
    return f"{limit / 2**20:,.0f} MB" if limit >= 2**20 else f"{limit:,} bytes"
