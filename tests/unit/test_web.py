"""The reader of HTTP: only what is listed is asked, nothing on the inside of a network ever, answers are bounded."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from mangavid.errors import ConfigError
from mangavid.version import __version__
from mangavid.web import Broken, Web, agent
from mangavid.webaddress import Refused, is_public, parse
from tests.fakes.web import Canned, Fault, Reply, served, status

HOSTS = ("uploads.mangadex.org", ".mangadex.network")


@pytest.fixture
def site() -> Iterator[Canned]:
    site = Canned(Reply(200, b"hello"))
    with served(site):
        yield site


OPEN: list[Web] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()


def reader(site: Canned, **more: Any) -> Web:
    options = {"connect": 2.0, "read": 0.3, "deadline": 5.0, **more}
    OPEN.append(Web("test", (site.base,), ("127.0.0.1",), **options))
    return OPEN[-1]


def at(address: str) -> Any:
    """A resolver that says this for every name."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return lambda _host, port: [(family, socket.SOCK_STREAM, 6, "", (address, port))]


# --- addresses -------------------------------------------------------------------------------------------------------

#: {port} is the canary's, a server on this machine that must not be hit.
FORMS = [
    "http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "https://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://[::1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[fe80::1%25eth0]:{port}/",
    "http://[fe80::1%eth0]:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.000.000.001:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.127.127.127:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ｌｏｃａｌｈｏｓｔ:{port}/",
    "http://127.0.0.1%00.mangadex.network:{port}/",
    "https://uploads.mangadex.org@127.0.0.1:{port}/",
    "https://uploads.mangadex.org:443@127.0.0.1:{port}/",
    "https://user:pass@uploads.mangadex.org:{port}/",
    "https://127.0.0.1:{port}#@uploads.mangadex.org/",
    "https://127.0.0.1:{port}?@uploads.mangadex.org/",
    "https://127.0.0.1:{port}\\@uploads.mangadex.org/",
    "https://uploads.mangadex.org\\@127.0.0.1:{port}/",
    "https:\\\\127.0.0.1:{port}/",
    "https:/127.0.0.1:{port}/",
    "https:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "https://uploads.mangadex.org.evil.test:{port}/",
    "https://uploads-mangadex.org:{port}/",
    "https://evilmangadex.network:{port}/",
    "https://mangadex.network:{port}/",
    "https://.mangadex.network:{port}/",
    "https://a..mangadex.network:{port}/",
    "https://-a.mangadex.network:{port}/",
    "https://a.mangadex.network.:{port}/",
    "https://a_b.mangadex.network:{port}/",
    "https://a.mangadex.network:22/",
    "https://a.mangadex.network:0/",
    "https://a.mangadex.network:99999/",
    "https://a.mangadex.network:{port}:80/",
    "http://a.mangadex.network:{port}/",
    "http://uploads.mangadex.org/",
    "https://127.0.0.1.nip.io:{port}/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://metadata.google.internal/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://192.168.1.1/",
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "data:text/plain,hello",
    "jar:http://127.0.0.1:{port}!/",
    "https://uploads.mangadex.org/\r\nHost: 127.0.0.1",
    "https://uploads.mangadex.org/ HTTP/1.1\r\nX: y",
    " https://uploads.mangadex.org/",
    "https://uploads.mangadex.org/\x00",
    "https://uploads.mangadex.org/\t",
    "https://uploads.mangadex.org/é",
    "https://" + "a" * 3000,
    "",
]


@pytest.mark.parametrize("form", FORMS)
def test_an_address_that_is_not_listed_is_refused_and_nothing_is_connected(form: str) -> None:
    canary = Canned(Reply(200, b"secret"))
    with served(canary) as base:
        web = Web("test", ("https://api.mangadex.org",), HOSTS, connect=1.0, deadline=2.0)
        with pytest.raises(Refused):
            web.get(form.replace("{port}", base.rpartition(":")[2]), 100)
    assert canary.hits == 0


def test_there_are_enough_forms() -> None:
    assert len(set(FORMS)) >= 60


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fe80::1",
        "fc00::1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "100.64.0.1",
        "198.18.0.1",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "240.0.0.1",
        "255.255.255.255",
    ],
)
def test_a_listed_name_that_leads_inside_a_network_is_not_dialled(address: str) -> None:
    canary = Canned(Reply(200, b"secret"))
    with served(canary) as base:
        web = Web("test", (), HOSTS, connect=1.0, deadline=2.0, resolve=at(address))
        with pytest.raises(Broken) as caught:
            web.get(f"https://node.mangadex.network:{base.rpartition(':')[2]}/page.png", 100)
    assert caught.value.kind == "peer"
    assert canary.hits == 0
    assert not is_public(address)


def test_a_name_that_answers_first_with_an_outside_and_then_an_inside_address_gets_nothing() -> None:
    answers = ["192.0.2.1", "127.0.0.1", "169.254.169.254"]
    canary = Canned(Reply(200, b"secret"))
    with served(canary) as base:
        port = int(base.rpartition(":")[2])
        web = Web("test", (), HOSTS, connect=0.2, deadline=2.0, resolve=lambda host, _: at(answers.pop(0))(host, port))
        for _ in range(3):
            with pytest.raises(Broken):
                web.get("https://node.mangadex.network/page.png", 100)
    assert canary.hits == 0


def test_open_addresses_are_public() -> None:
    assert all(is_public(address) for address in ("1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"))


def test_plain_http_is_for_this_machine_only() -> None:
    with pytest.raises(ConfigError, match="only https"):
        Web("test", ("http://api.mangadex.org",))
    with pytest.raises(ConfigError):
        Web("test", ("http://[::1",))


def test_settings_on_this_machine_open_it_to_listed_hosts_only(site: Canned) -> None:
    web = reader(site)
    assert web.check("http://127.0.0.1:1/x").port == 1
    for other in ("http://127.0.0.2/", "http://localhost/", "http://[::1]/", "http://example.org/"):
        with pytest.raises(Refused):
            web.check(other)


def test_an_address_is_taken_apart() -> None:
    where = parse("HTTPS://Node.MangaDex.network:8443/a/b?c=d")
    assert (where.scheme, where.host, where.port, where.target) == ("https", "node.mangadex.network", 8443, "/a/b?c=d")
    assert parse("https://x.org?y").target == "/?y"


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_it_says_who_it_is_and_nothing_more(site: Canned) -> None:
    web = Web(agent("me@example.org (x)\r\nEvil: 1"), (site.base,))
    OPEN.append(web)
    web.get(f"{site.base}/", 100)
    web.post(f"{site.base}/report", b'{"a": 1}')
    first, second = site.ledger
    assert first.headers["user-agent"] == f"mangavid/{__version__} (+me@example.org xEvil: 1)"
    for request in (first, second):
        assert not {"via", "cookie", "authorization", "referer", "forwarded", "evil"} & set(request.headers)
    assert second.body == b'{"a": 1}'
    assert agent() == f"mangavid/{__version__} (+mangavid)"


def test_a_connection_is_used_again_and_cookies_are_not_kept(site: Canned) -> None:
    site.reply = Reply(200, b"hello", {"Set-Cookie": "a=b"})
    web = reader(site)
    for _ in range(5):
        assert web.get(f"{site.base}/", 100).body == b"hello"
    assert site.hits == 1
    assert not any("cookie" in request.headers for request in site.ledger)


def test_a_redirect_is_not_followed(site: Canned) -> None:
    canary = Canned(Reply(200, b"secret"))
    with served(canary) as elsewhere:
        site.faults.append(status(302, Location=f"{elsewhere}/latest/meta-data/"))
        answer = reader(site).get(f"{site.base}/", 100)
    assert answer.status == 302
    assert canary.hits == 0


def test_compressed_answers_are_read(site: Canned) -> None:
    site.reply = Reply(200, b"0123456789" * 1000)
    web = reader(site)
    answer = web.get(f"{site.base}/", 10_000, compressed=True)
    assert answer.body == b"0123456789" * 1000
    assert answer.headers["content-encoding"] == "gzip"


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        pytest.param("reset", "cut", id="a reset is told as cut"),
        pytest.param("cut", "cut", id="half a body is told as cut"),
        pytest.param("stall", "timeout", id="silence is told as a timeout"),
        pytest.param("drip", "timeout", id="a body of single bytes ends at the deadline"),
        pytest.param("headers", "timeout", id="headers of single bytes end at the deadline"),
        pytest.param("endless", "large", id="a body without end ends at the limit"),
        pytest.param("bomb", "large", id="a gzip bomb ends at the limit"),
        pytest.param("garbage", "protocol", id="no HTTP is told as that"),
        pytest.param("brotli", "encoding", id="an encoding nobody asked for is told as that"),
    ],
)
def test_a_fault_is_told_and_bounded(site: Canned, fault: str, kind: str) -> None:
    site.reply = Reply(200, b"a body of some length")
    site.faults.append(Fault(fault))
    web = reader(site, deadline=0.6)
    with pytest.raises(Broken) as caught:
        web.get(f"{site.base}/", 200_000, compressed=True)
    assert caught.value.kind == kind
    assert web.get(f"{site.base}/", 100).body == b"a body of some length"


def test_an_answer_over_its_limit_is_refused_before_it_is_read(site: Canned) -> None:
    site.reply = Reply(200, b"x" * 101)
    with pytest.raises(Broken, match="larger than 100 bytes"):
        reader(site).get(f"{site.base}/", 100)


def test_a_server_that_is_not_there_is_told(site: Canned) -> None:
    with pytest.raises(Broken) as caught:
        reader(site).get("http://127.0.0.1:1/", 100)
    assert caught.value.kind == "connect"


def test_a_name_that_is_not_found_is_told() -> None:
    def nobody(_host: str, _port: int) -> Any:
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(Broken) as caught:
        Web("test", ("https://api.mangadex.org",), resolve=nobody).get("https://api.mangadex.org/", 100)
    assert caught.value.kind == "resolve"


def test_a_server_that_speaks_no_tls_is_told_and_sees_no_request() -> None:
    canary = Canned(Reply(200, b"secret"))
    with served(canary) as base:
        port = base.rpartition(":")[2]
        web = Web("test", (f"https://127.0.0.1:{port}",), connect=1.0, read=0.5, deadline=2.0)
        with pytest.raises(Broken):
            web.get(f"https://127.0.0.1:{port}/", 100)
    assert canary.ledger == []


# --- proxies ---------------------------------------------------------------------------------------------------------


def test_a_proxy_of_the_environment_is_asked_to_connect(site: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", site.base.replace("//", "//me:secret@"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    web = Web("test", ("https://api.mangadex.org",), connect=1.0, read=0.5, deadline=2.0)
    with pytest.raises(Broken) as caught:
        web.get("https://api.mangadex.org/", 100)
    assert caught.value.kind in ("proxy", "connect")
    assert "secret" not in str(caught.value)
    assert site.hits == 1


def test_this_machine_is_reached_without_the_proxy(site: Canned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    web = reader(site)
    assert web.get(f"{site.base}/", 100).status == 200


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://[bad"])
def test_a_proxy_of_another_kind_is_told(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(Broken, match="HTTPS_PROXY"):
        Web("test", ("https://api.mangadex.org",)).get("https://api.mangadex.org/", 100)
