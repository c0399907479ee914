"""The reader over TLS: whom it trusts, and the way through a proxy."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mangavid.web import Broken, Web


def certificate(folder: Path, name: str) -> Path:
    """A certificate for a name, signed by itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime(2026, 1, 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=3650))
        .not_valid_after(now + datetime.timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def listening(serve) -> Iterator[int]:  # type: ignore[no-untyped-def]
    """A thread a connection, until the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads: list[threading.Thread] = []

        def one(peer: socket.socket) -> None:
            with peer, suppress(OSError):
                serve(peer)

        def accept() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(peer,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(5)
            for thread in threads:
                thread.join(5)


class Secure:
    """A server with a certificate for a name, and the requests it could read."""

    def __init__(self, folder: Path, name: str) -> None:
        self.certificate = certificate(folder, name)
        self.requests: list[bytes] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate)

    def __call__(self, peer: socket.socket) -> None:
        with self._context.wrap_socket(peer, server_side=True) as secure:
            self.requests.append(secure.recv(65536))
            secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def test_a_server_with_a_good_certificate_is_read(tmp_path: Path) -> None:
    server = Secure(tmp_path, "localhost")
    with listening(server) as port:
        web = Web("test", (f"https://localhost:{port}",), trust=server.trusted(), deadline=5)
        assert web.get(f"https://localhost:{port}/a", 100).body == b"hello"
        web.close()
    assert server.requests[0].startswith(b"GET /a HTTP/1.1")


@pytest.mark.parametrize("trusting", [True, False])
def test_a_certificate_of_another_name_or_unknown_gets_no_request(tmp_path: Path, trusting: bool) -> None:
    server = Secure(tmp_path, "elsewhere.example" if trusting else "localhost")
    with listening(server) as port:
        web = Web(
            "test", (f"https://localhost:{port}",), trust=server.trusted() if trusting else None, read=1, deadline=5
        )
        with pytest.raises(Broken) as caught:
            web.get(f"https://localhost:{port}/a", 100)
    assert caught.value.kind == "tls"
    assert server.requests == []


def test_through_a_proxy_the_certificate_is_still_the_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Secure(tmp_path, "api.mangadex.org")
    asked: list[bytes] = []

    def proxy(peer: socket.socket) -> None:
        asked.append(peer.recv(65536))
        with socket.create_connection(("127.0.0.1", port)) as onward:
            peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_copy, args=(onward, peer))
            back.start()
            _copy(peer, onward)
            back.join()

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with listening(server) as port, listening(proxy) as at:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:hidden@127.0.0.1:{at}")
        web = Web("test", ("https://api.mangadex.org",), trust=server.trusted(), deadline=5)
        assert web.get("https://api.mangadex.org/ping", 100).body == b"hello"
        web.close()
    assert asked[0].startswith(b"CONNECT api.mangadex.org:443 HTTP/1.")
    assert b"Proxy-Authorization: Basic " in asked[0] or b"proxy-authorization: Basic " in asked[0]
    assert b"uthorization" not in server.requests[0]


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
