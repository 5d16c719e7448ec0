"""Set-up mode over real sockets: a phone's way through it, and what strangers try."""

from __future__ import annotations

import json
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from svitlo import claims
from tests.support.setup_mode import Page, SetUp

if TYPE_CHECKING:
    from svitlo.simulator.micropython import UmqttSource
    from tests.firmware.conftest import BoardMaker, Broker, Observer, Scripts

OLD: dict[str, Any] = {
    "v": 1,
    "device_id": "kitchen-1",
    "password": "secret-word",
    "mqtt": {"host": "192.168.1.10"},
    "wifi": {"ssid": "old home", "password": "old-password"},
    "pins": {"led": 5},
    "mains": {"kind": "gpio", "pin": 34},
}
CLAIMED: dict[str, Any] = {
    "v": 1,
    "device_id": "attic-7",
    "password": "another-word",
    "mqtt": {"host": "192.168.1.20", "port": 1883, "tls": False},
    "interval_s": 5,
}
CODE = claims.encode(CLAIMED)
BROKEN = claims.encode(CLAIMED | {"mqtt": {"host": ""}})


@pytest.fixture
def set_up(scripts: Scripts, umqtt: UmqttSource) -> Iterator[SetUp]:
    board = SetUp(scripts.folder, umqtt)
    yield board
    board.kill()


@pytest.fixture
def fresh(set_up: SetUp) -> SetUp:
    """A board that was never set up."""
    return set_up.start()


@pytest.fixture
def known(set_up: SetUp) -> SetUp:
    """A board with a configuration."""
    set_up.config.write_text(json.dumps(OLD))
    return set_up.start()


def test_a_claim_code_and_a_network_make_a_configuration(fresh: SetUp, scripts: Scripts) -> None:
    page = fresh.send(c=CODE)

    assert "The board restarts" in page.text
    result = fresh.end()
    assert result["reset"]
    assert result["shown"] == ["setup"]
    assert result["fed"] > 3
    assert result["ticks"] > 3
    assert result["lines"][-1] == "set-up: saved"
    assert json.loads(fresh.config.read_text()) == {**CLAIMED, "wifi": {"ssid": "home", "password": "wifi-password"}}
    assert scripts.run("settings") is None
    assert not (fresh.world / "out-ap").exists()  # the access point goes with the board


def test_the_authority_of_the_broker_arrives_with_the_code(fresh: SetUp, scripts: Scripts) -> None:
    ca = bytes(range(256)) * 6  # more than any public authority's
    code = claims.encode(CLAIMED | {"mqtt": {"host": "h", "tls": True}}, ca)

    fresh.send(c=claims.setup_url(code))
    fresh.end()

    assert (fresh.folder / "ca.der").read_bytes() == ca
    assert scripts.run("settings") is None


def test_only_the_network_changes_without_a_code(known: SetUp) -> None:
    (known.folder / "state").mkdir()
    (known.folder / "state" / "proved").write_bytes(b"1")

    known.send(o=" new home ", s="", p="", c="")
    known.end()

    assert json.loads(known.config.read_text()) == {**OLD, "wifi": {"ssid": "new home", "password": ""}}
    assert not (known.folder / "state" / "proved").exists()


def test_a_new_code_keeps_how_the_board_is_wired(known: SetUp) -> None:
    known.send(c=CODE)
    known.end()

    assert json.loads(known.config.read_text()) == {
        **CLAIMED,
        "wifi": {"ssid": "home", "password": "wifi-password"},
        "pins": OLD["pins"],
        "mains": OLD["mains"],
    }


def test_the_password_of_the_same_network_is_kept(known: SetUp) -> None:
    page = known.page()

    assert page.fields["o"] == "old home"
    assert "old-password" not in known.get().text
    known.send(o="old home", p="", c="")
    known.end()
    assert json.loads(known.config.read_text()) == OLD


def test_a_wired_board_needs_no_network(set_up: SetUp) -> None:
    wired = {**OLD, "ethernet": {"board": "wt32-eth01"}}
    del wired["wifi"]
    set_up.config.write_text(json.dumps(wired))
    set_up.start().send(s="", p="", c=CODE)
    set_up.end()

    saved = json.loads(set_up.config.read_text())
    assert (saved["device_id"], saved["ethernet"], "wifi" in saved) == ("attic-7", wired["ethernet"], False)


def test_a_damaged_configuration_builds_on_the_one_that_worked(set_up: SetUp, scripts: Scripts) -> None:
    set_up.config.write_text(json.dumps(OLD))
    scripts.run("settings", "kept")
    set_up.config.write_bytes(set_up.config.read_bytes()[:40])

    set_up.start().send(c="")
    set_up.end()

    assert json.loads(set_up.config.read_text()) == {**OLD, "wifi": {"ssid": "home", "password": "wifi-password"}}


@pytest.mark.parametrize(
    ("typed", "complaint", "field"),
    [
        ({"c": ""}, "the claim code is missing", "c"),
        ({"c": CODE[:-5]}, "the claim code is incomplete: copy all of it", "c"),
        ({"c": CODE.lower()}, "the claim code has a typing error (its checksum is wrong): copy it again", "c"),
        ({"s": ""}, "choose a Wi-Fi network or type its name", "s"),
        ({"o": "ж" * 17}, "the name of the network is too long", "o"),
        ({"p": "short"}, "the Wi-Fi password has 8 to 63 characters", "p"),
        ({"p": ""}, "this network needs a password", "p"),
        ({"c": BROKEN}, 'the configuration cannot be used: "mqtt.host" is empty', "c"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(
    typed: dict[str, str], complaint: str, field: str, fresh: SetUp
) -> None:
    page = fresh.send(None, None, **{"c": CODE, **typed})

    assert (page.error, page.wrong) == (complaint, field)
    sent = {"s": "home", "p": "wifi-password", "o": "", "c": CODE, **typed}
    assert {name: page.fields[name] for name in "poc"} == {name: sent[name] for name in "poc"}
    assert page.chosen == (sent["s"] or None)
    assert not fresh.config.exists()
    assert fresh.page().fields["p"] == ""  # the next in this open network is not shown it
    fresh.send(page, **{**sent, "s": "home", "p": "wifi-password", "o": "", "c": CODE})
    fresh.end()
    assert fresh.config.exists()


def test_a_full_flash_is_said_and_nothing_changes(known: SetUp) -> None:
    (known.folder / "config.json.new").mkdir()  # as good as full: it cannot be written

    assert known.send(c=CODE).error == "the board's memory is full: nothing was changed"
    assert json.loads(known.config.read_text()) == OLD


def test_the_last_failure_is_shown_in_the_readers_language(set_up: SetUp) -> None:
    set_up.start("could not join <b>home</b>: wrong password")

    english = set_up.get(**{"Accept-Language": "en-GB,en;q=0.9"})
    ukrainian = set_up.get(**{"Accept-Language": "uk-UA,uk;q=0.9,en;q=0.5"})
    chosen = set_up.get("?l=uk", **{"Accept-Language": "en"})

    assert Page(english.text).error == "could not join <b>home</b>: wrong password"
    assert Page(ukrainian.text).error == "не вдалося приєднатися до <b>home</b>: хибний пароль"
    assert "<html lang=en>" in english.text
    assert "<html lang=uk>" in ukrainian.text
    assert chosen.text == ukrainian.text
    assert "Зберегти" in ukrainian.text


def test_every_message_has_its_ukrainian(fresh: SetUp) -> None:
    source = (Path(__file__).parents[2] / "firmware" / "micropython" / "page.py").read_text()
    known = re.findall(r'^    \("([^"]+)", ', source, re.MULTILINE)
    said = [*re.findall(r'^[A-Z]+ = "([^"]*)"$', _source("claim"), re.MULTILINE)]
    said += re.findall(r'(?:ValueError\(|return )"([^"%]{12,})', _source("portal"))
    said += [line % "x" for line in re.findall(r'return "(could [^"]+)"', _source("net"))]

    assert len(said) > 12
    for text in said:
        rest = text
        for part in known:
            rest = rest.replace(part, "")
        assert rest in ("", "x", "%s"), text


def test_networks_are_listed_strongest_first_with_nothing_to_inject(fresh: SetUp) -> None:
    page = fresh.page("?l=en")

    assert list(page.choices) == ["", "home", '<script>alert("1")</script>', "café"]
    assert page.choices["home"] == "home ▂▄▆█"
    assert page.choices["café"] == "café (open) ▂▄"
    assert page.tags.count("script") == fresh.get().text.count("<script") == 1  # ours


def test_searching_again_keeps_what_was_typed(fresh: SetUp) -> None:
    (fresh.world / "scan").write_text(json.dumps([["late", -40, 3]]))

    page = fresh.send(scan="1", c="half a co", o="typed")

    assert list(page.choices) == ["", "late"]
    assert (page.fields["c"], page.fields["o"], page.fields["p"], page.error) == (
        "half a co", "typed", "wifi-password", "",
    )  # fmt: skip


def test_another_sites_form_is_refused_and_not_shown(fresh: SetUp) -> None:
    page = fresh.send(origin="http://evil.example", c=CODE, o="evil")
    assert page.error == "this page was too old: please save once more"
    assert page.fields["c"] == page.fields["o"] == ""
    assert not fresh.config.exists()


def test_a_form_without_our_token_has_to_be_sent_again(fresh: SetUp) -> None:
    page = fresh.send(t="0123456789abcdef", c=CODE)
    assert page.error == "this page was too old: please save once more"
    assert not fresh.config.exists()
    assert "The board restarts" in fresh.send(page, c=page.fields["c"]).text


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("generate_204", "connectivitycheck.gstatic.com"),
        ("hotspot-detect.html", "captive.apple.com"),
        ("ncsi.txt", "www.msftncsi.com"),
        ("connecttest.txt", "www.msftconnecttest.com"),
        ("", "example.org"),
        ("anything?x=1", "127.0.0.1"),
    ],
)
def test_what_phones_probe_leads_to_the_page(path: str, host: str, fresh: SetUp) -> None:
    answer = fresh.get(path, Host=host)

    assert (answer.status_code, answer.headers["Location"], answer.content) == (302, "http://127.0.0.1/", b"")
    assert answer.headers["Cache-Control"] == "no-store"


def test_heads_and_icons_are_answered(fresh: SetUp) -> None:
    head = httpx.head(fresh.url, timeout=20, trust_env=False)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(fresh.get().content)
    assert fresh.get("favicon.ico").status_code == 404


def test_the_page_is_small_and_frames_nothing(fresh: SetUp) -> None:
    answer = fresh.get("?l=uk")

    assert len(answer.content) < 5000
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "src=" not in answer.text


def test_every_name_is_the_board(fresh: SetUp) -> None:
    answer = fresh.ask("connectivitycheck.gstatic.com")

    assert answer[:12] == struct.pack(">6H", 0x1234, 0x8580, 1, 1, 0, 0)
    assert answer.endswith(bytes([0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]))
    for kind in (28, 65, 16):  # AAAA, HTTPS, TXT: there is none, so nobody waits for one
        assert fresh.ask("example.org", kind)[:12] == struct.pack(">6H", 0x1234, 0x8580, 1, 0, 0, 0)


def test_garbage_gets_no_name(fresh: SetUp) -> None:
    good = struct.pack(">6H", 1, 0x0100, 1, 0, 0, 0) + b"\3www\0\0\1\0\1"
    assert fresh.tell(good, 10)
    garbage = [
        b"",
        b"x",
        good[:11],
        good[:-1],
        good[:2] + b"\x81\x80" + good[4:],  # an answer: two servers could talk for ever
        good[:4] + b"\0\2" + good[6:],
        good[:4] + b"\0\0" + good[6:],
        good[:12] + b"\xc0\x0c\0\1\0\1",  # a pointer to itself
        good[:12] + b"\x3f" + b"a" * 62,
        good[:12] + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
        good[:12] + b"\1a" * 200 + b"\0\0\1\0\1",
        b"\xff" * 512,
        bytes(2000),
    ]
    for query in garbage:
        assert fresh.tell(query) == b"", query
    assert fresh.ask("still.there")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /" + b"a" * 600 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * 3000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000, 431),
        (b"POST / HTTP/1.1\r\nContent-Length: 100000\r\n\r\n" + b"p" * 100_000, 413),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\np=%zz", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\np=%ff", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\np=%1", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\np=abc\r\n0\r\n\r\n", 400),
        (b"DELETE / HTTP/1.1\r\n\r\n", 405),
        (b"GET / SPDY/3\r\n\r\n", 405),
        (b"GET /\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\xff\xfe / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: \xff\r\n\r\n", 200),
    ],
    ids=range(18),
)
def test_bad_requests_are_refused_and_the_next_is_served(request_: bytes, status: int, fresh: SetUp) -> None:
    # Who stands still while the board waits for its caller's rest has the answer taken from its hands by a RST.
    answer = next(filter(None, (fresh.raw(request_) for _ in range(4))), b"")
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert fresh.get().status_code == 200


def test_callers_that_say_nothing_do_not_keep_others_out(set_up: SetUp) -> None:
    set_up.start(read_ms=100_000)
    callers = [set_up.connect(data) for data in (b"", b"G", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"") * 5]
    try:
        for _ in range(3):
            assert set_up.get().status_code == 200
        # All but a few had to give way, long before their time was over.
        deadline = time.monotonic() + 30
        while sum(_closed(caller) for caller in callers) < len(callers) - 4:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "The board restarts" in set_up.send(c=CODE).text
    finally:
        for caller in callers:
            caller.close()


def test_ctrl_c_leaves_time_at_the_console(set_up: SetUp) -> None:
    """Whoever copies files there by hand would be cut off by the watchdog."""
    set_up.start()
    (set_up.world / "button").write_text("ctrl-c")

    ended = set_up.end()

    assert (ended["reset"], ended["relaxed"]) == (False, True)


def test_a_socket_that_takes_nothing_now_is_asked_again(scripts: Scripts) -> None:
    assert scripts.run("web") == {"error": None, "end": "y" * 300, "closed": False}


def test_a_caller_slower_than_the_deadline_is_cut_off(set_up: SetUp) -> None:
    with set_up.start(read_ms=1000).connect(b"GET / HTTP/1.1\r\n") as caller:
        caller.settimeout(0.1)
        deadline = time.monotonic() + 30
        with pytest.raises((ConnectionError, EOFError)):
            while time.monotonic() < deadline:  # a byte now and then is no excuse
                caller.sendall(b"x")
                try:
                    if not caller.recv(100):
                        raise EOFError
                except TimeoutError:
                    pass


def test_a_request_in_crumbs_and_an_answer_in_sips(fresh: SetUp) -> None:
    with fresh.connect() as caller:
        for byte in b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n":
            caller.sendall(bytes([byte]))
            time.sleep(0.005)
        got = b""
        while more := caller.recv(100):
            got += more
            time.sleep(0.005)
    head, body = got.split(b"\r\n\r\n", 1)
    assert f"Content-Length: {len(body)}\r\n".encode() in head
    assert body.endswith(b"</script>")


def test_callers_that_leave_in_the_middle_are_no_harm(fresh: SetUp) -> None:
    for _ in range(30):
        caller = fresh.connect(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # RST
        caller.close()
    fresh.send(c=CODE)
    assert fresh.end()["free"] > 20_000


def test_heap_does_not_grow_with_requests(fresh: SetUp) -> None:
    for _ in range(40):
        fresh.get("?l=uk")
        fresh.send(c="x" * 3000)
    fresh.send(c=CODE)
    result = fresh.end()
    assert result["lines"][-1] == "set-up: saved"
    assert len(result["lines"]) == 2


def test_a_board_nobody_comes_to_tries_its_configuration_again(set_up: SetUp) -> None:
    set_up.config.write_text(json.dumps(OLD))
    for _ in range(4):
        set_up.start("could not join home: wrong password", patience_ms=1500)
        try:
            for _ in range(3):  # what a phone in the pocket asks by itself is nobody
                set_up.get("generate_204")
        except httpx.TransportError:
            set_up.end()  # we stood still for longer than its patience: nobody asked
            continue
        break
    result = set_up.end()

    assert result["reset"]
    assert result["lines"][-1] == "set-up: nobody came, trying again with what there is"
    assert json.loads(set_up.config.read_text()) == OLD


def test_a_board_without_a_configuration_waits(set_up: SetUp) -> None:
    set_up.start(patience_ms=200)
    time.sleep(1)
    assert set_up.get().status_code == 200


def test_a_long_press_leaves_set_up_mode(known: SetUp) -> None:
    (known.world / "button").write_text("long")
    assert known.end()["lines"][-1] == "set-up: left by the button"


def test_without_an_access_point_it_says_so_and_returns(set_up: SetUp, scripts: Scripts) -> None:
    (set_up.world / "portal-ports").unlink()

    result = scripts.run("portal", "", 0, 0, 300)

    assert not result["reset"]
    assert result["lines"] == ["set-up: no access point: the desktop has none (world/portal-ports)"]


def test_the_saved_page_stays_for_the_phone_that_asks_again(set_up: SetUp) -> None:
    set_up.start(stays_ms=60_000)
    page = set_up.page()
    set_up.send(page, c=CODE)
    assert "The board restarts" in set_up.send(page, c="", s="").text
    assert json.loads(set_up.config.read_text())["wifi"]["ssid"] == "home"


def _closed(caller: socket.socket) -> bool:
    caller.setblocking(False)
    try:
        return caller.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def _source(name: str) -> str:
    return (Path(__file__).parents[2] / "firmware" / "micropython" / f"{name}.py").read_text()


def test_from_the_page_to_the_first_heartbeat(make_board: BoardMaker, broker: Broker, observer: Observer) -> None:
    board = make_board()
    phone = SetUp(board.directory)
    claimed = json.loads(phone.config.read_text())
    phone.config.unlink()
    board.start()
    phone.await_page()

    phone.send(c=claims.encode(claimed))

    observer.status("online", timeout=60)
    observer.heartbeat(timeout=60)
    assert json.loads(phone.config.read_text())["wifi"]["ssid"] == "home"


def test_a_useless_credential_leads_back_to_the_page(make_board: BoardMaker, broker: Broker) -> None:
    board = make_board(password="not the one")
    phone = SetUp(board.directory)
    board.start()
    phone.await_page(timeout=60)

    assert phone.page("?l=en").error.startswith("refused by the broker: ")
    assert "хибне ім’я" in phone.page("?l=uk").error
