"""The wire contract: golden payloads both sides agree on, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from svitlo.contracts import (
    MAX_PAYLOAD,
    CommandWord,
    DeviceChannel,
    Malformed,
    PayloadError,
    PowerEvent,
    ResetCause,
    ServiceStatus,
    SiteState,
    TopicError,
    decode_as,
    decode_device,
    encode,
    topics,
)
from svitlo.contracts.payloads import Command, DeviceStatus, Heartbeat, Journal, Report

GOLDEN = Path(__file__).parent / "golden"

MODELS: dict[str, type[Any]] = {
    "heartbeat": Heartbeat,
    "heartbeat_without_sensor": Heartbeat,
    "status_birth": DeviceStatus,
    "status_will": DeviceStatus,
    "status_goodbye": DeviceStatus,
    "status_last_gasp": DeviceStatus,
    "journal": Journal,
    "command": Command,
    "command_identify": Command,
    "command_update": Command,
    "command_rotate": Command,
    "report_done": Report,
    "report_loading": Report,
    "report_refused": Report,
    "site_state": SiteState,
    "event_power_lost": PowerEvent,
    "event_power_restored": PowerEvent,
    "service_status": ServiceStatus,
}

GOOD = (GOLDEN / "heartbeat.json").read_bytes()


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(GOOD) | fields).encode()


def test_every_golden_file_has_a_model_and_every_model_a_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == MODELS.keys()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_golden_payload_survives_decoding_and_encoding(name: str) -> None:
    text = (GOLDEN / f"{name}.json").read_bytes()
    model = decode_as(MODELS[name], text)
    wanted = json.loads(text)
    assert {
        key: value for key, value in json.loads(encode(model)).items() if value is not None or key in wanted
    } == wanted


@pytest.mark.parametrize("name", sorted(MODELS))
def test_models_are_frozen(name: str) -> None:
    model = decode_as(MODELS[name], (GOLDEN / f"{name}.json").read_bytes())
    with pytest.raises(AttributeError):
        model.v = 2


def test_unknown_fields_are_ignored() -> None:
    assert decode_device(DeviceChannel.HEARTBEAT, changed(colour="green", nested={"a": [1]})) == decode_device(
        DeviceChannel.HEARTBEAT, GOOD
    )


REPORT = (GOLDEN / "report_loading.json").read_bytes()


@pytest.mark.parametrize(
    "broken",
    [
        {"order": "a order"},
        {"order": "UPPER"},
        {"order": "a" * 37},
        {"order": ""},
        {"state": "thinking"},
        {"offset": -1},
        {"offset": 1.5},
        {"text": "x" * 121},
        {"text": "two\nlines"},
        {"boot": None},
    ],
)
def test_a_report_that_breaks_the_contract_is_refused(broken: dict[str, Any]) -> None:
    assert decode_device(DeviceChannel.REPORT, REPORT) == decode_as(Report, REPORT)
    with pytest.raises(PayloadError):
        decode_device(DeviceChannel.REPORT, json.dumps(json.loads(REPORT) | broken).encode())


def test_an_order_without_an_id_says_no_more_than_its_word() -> None:
    assert json.loads(encode(Command(command=CommandWord.REBOOT))) == {"v": 1, "command": "reboot"}


def test_the_longest_order_fits_into_a_payload() -> None:
    words: dict[str, Any] = {
        "order": "a" * 36,
        "version": "9" * 32,
        "sha256": "f" * 64,
        "mac": "f" * 64,
        "password": "p" * 64,
    }
    command = Command(command=CommandWord.UPDATE, serial=2**53, size=2**31 - 1, **words)
    assert len(encode(command)) <= MAX_PAYLOAD


def test_what_is_on_the_update_topic_is_never_decoded() -> None:
    with pytest.raises(PayloadError, match="carries bytes"):
        decode_device(DeviceChannel.UPDATE, b"{}")


def test_an_unknown_reset_cause_is_unknown_and_no_reason_to_lose_the_heartbeat() -> None:
    beat = decode_device(DeviceChannel.HEARTBEAT, changed(reset="cosmic_ray"))
    assert isinstance(beat, Heartbeat)
    assert beat.reset is ResetCause.UNKNOWN


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Malformed.SYNTAX),
        (GOOD[:-20], Malformed.SYNTAX),
        (b"\xff\xfe\x00", Malformed.ENCODING),
        (GOOD.replace(b"9f3c01ab", b"9f3c\xff\xfe"), Malformed.ENCODING),
        (b"null", Malformed.CONTENT),
        (b"[1,2]", Malformed.CONTENT),
        (b"{}", Malformed.CONTENT),
        (b'{"v":2}', Malformed.VERSION),
        (b'{"v":0}', Malformed.VERSION),
        (b'{"v":"1"}', Malformed.CONTENT),
        (b'{"v":true}', Malformed.CONTENT),
        (changed(seq="7"), Malformed.CONTENT),
        (changed(seq=-1), Malformed.CONTENT),
        (changed(seq=2**60), Malformed.CONTENT),
        (changed(seq=1.5), Malformed.CONTENT),
        (changed(interval_s=0), Malformed.CONTENT),
        (changed(boot=""), Malformed.CONTENT),
        (changed(boot="a b"), Malformed.CONTENT),
        (changed(boot="a" * 32 + "\n"), Malformed.CONTENT),
        (changed(boot="a\n"), Malformed.CONTENT),
        (changed(fw="1.0\n2"), Malformed.CONTENT),
        (changed(uptime_s=64_000_000_000), Malformed.CONTENT),
        (changed(fw="x\x00y"), Malformed.CONTENT),
        (changed(mains="yes"), Malformed.CONTENT),
        (GOOD.replace(b"229.6", b"NaN"), Malformed.SYNTAX),
        (GOOD.replace(b"229.6", b"-Infinity"), Malformed.SYNTAX),
        (GOOD.replace(b"229.6", b"1e999"), Malformed.CONTENT),
        (b"[" * 1000, Malformed.CONTENT),
        (b'{"v":1,"x":' + b"[" * 900 + b"]" * 100 + b"}", Malformed.SYNTAX),
        (b"x" * (MAX_PAYLOAD + 1), Malformed.OVERSIZE),
        (b" " * 1_000_000, Malformed.OVERSIZE),
    ],
)
@pytest.mark.parametrize("channel", [channel for channel in DeviceChannel if channel is not DeviceChannel.UPDATE])
def test_garbage_is_refused_with_its_reason(channel: DeviceChannel, payload: bytes, reason: Malformed) -> None:
    with pytest.raises(PayloadError) as caught:
        decode_device(channel, payload)
    if channel is DeviceChannel.HEARTBEAT:
        assert caught.value.reason is reason


def test_deep_nesting_in_an_unknown_field_is_refused_or_ignored_but_never_more() -> None:
    deep = b'{"v":1,"x":' + b'{"a":' * 160 + b"1" + b"}" * 160 + b"}"
    with pytest.raises(PayloadError):
        decode_device(DeviceChannel.HEARTBEAT, deep)


@pytest.mark.parametrize(
    "topic",
    [
        "svitlo/devices/Board/heartbeat",
        "svitlo/devices//heartbeat",
        "svitlo/devices/a/b/heartbeat",
        "svitlo/devices/a/heartbeats",
        "svitlo/devices/a",
        "svitlo/devices/" + "a" * 49 + "/heartbeat",
        "svitlo/devices/é/heartbeat",
        "svitlo/sites/a/power",
        "",
    ],
)
def test_a_topic_that_is_not_a_devices_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        topics.parse_device(topic)


@pytest.mark.parametrize("channel", list(DeviceChannel))
def test_a_device_topic_is_parsed_as_it_was_built(channel: DeviceChannel) -> None:
    assert topics.parse_device(topics.device("board-1", channel)) == ("board-1", channel)
