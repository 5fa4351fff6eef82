"""The wire: vectors, every cut, noise, bounds, sequence, prompts, commands and their mirror."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core.faults import BadSetting
from app.core.secret import Secret
from app.core.wire import RECORD_MAX_BYTES, TEXT_MAX_BYTES, Decoder, encode, mirror

VECTORS = Path(__file__).parent.parent / "vectors" / "wire"
LOG = (VECTORS / "console.log").read_bytes()
quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)


def decode(*chunks: bytes) -> list[ev.Event]:
    decoder = Decoder()
    told = [event for chunk in chunks for event in decoder.receive(chunk, 1.0)]
    return told + decoder.finish()


def record(**keys: object) -> bytes:
    return b"\x1e" + json.dumps(keys).encode() + b"\n"


def plain(event: object) -> dict[str, object]:
    fields = json.loads(json.dumps(asdict(event), default=lambda raw: raw.decode()))
    fields.pop("at", None)
    return fields


@pytest.mark.parametrize(
    "vector",
    json.loads((VECTORS / "records.json").read_text(encoding="utf-8")),
    ids=lambda vector: f"{vector['record']['n']}-{vector['record']['k']}",
)
def test_a_record_means_its_event(vector):
    (event,) = decode(record(**vector["record"]))
    assert (type(event).__name__, plain(event)) == (vector["event"], vector["is"])


def test_a_console_as_it_comes():
    told = decode(LOG)
    expected = json.loads((VECTORS / "console.json").read_text(encoding="utf-8"))
    assert [type(event).__name__ for event in told] == [name for name, _ in expected]
    for event, (_, fields) in zip(told, expected, strict=True):
        assert fields.items() <= plain(event).items()


def test_every_single_cut():
    whole = decode(LOG)
    decoder_runs = [decode(LOG[:cut], LOG[cut:]) for cut in range(len(LOG))]
    assert all(run == whole for run in decoder_runs)
    assert decode(*(LOG[at : at + 1] for at in range(len(LOG)))) == whole


PIECES = st.sampled_from(
    [
        b"\n",
        b"\r\n",
        b"\x1e",
        b"I (1) a: b",
        b"\xff\xc3",
        b"x" * 5000,
        b'{"k":"token","n":1,"t":2}',
        b'\x1e{"k":"token","n":9,"t":2}\n',
        b'"' * 3000,
        b"\r" * 9000,
    ]
)


@quick
@given(
    st.lists(PIECES | st.binary(max_size=20), max_size=12),
    st.lists(st.integers(0, 40_000), max_size=8),
)
def test_cuts_do_not_matter(pieces, cuts):
    data = b"".join(pieces)
    edges = [0, *sorted(cuts), len(data)]
    assert decode(*(data[a:b] for a, b in pairwise(edges))) == decode(data)


@quick
@given(st.binary(max_size=400), st.floats(0, 9))
def test_noise_never_raises(noise, later):
    decoder = Decoder()
    told = decoder.receive(noise + b"\x1e" + noise, 1.0) + decoder.idle(1.0 + later)
    assert all(isinstance(event, ev.Event) for event in told + decoder.finish())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
RECORDS = [vector["record"] for vector in json.loads((VECTORS / "records.json").read_text("utf-8"))]


@quick
@given(st.sampled_from(RECORDS), st.data())
def test_any_value_in_any_key_never_raises(good, data):
    key = data.draw(st.sampled_from(sorted(good)))
    (*_, event) = decode(record(**good | {key: data.draw(JSON)}))
    assert isinstance(event, ev.Event)
    (*_, event) = decode(record(**{k: v for k, v in good.items() if k != key}))
    assert isinstance(event, ev.Event)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"k":"token","n":-1,"t":0}',
        b'{"k":"token","n":4294967296,"t":0}',
        b'{"k":"token","n":true,"t":0}',
        b'{"k":"token","n":NaN}',
        b'{"k":7,"n":1}',
        b"[" * 2000,
        b'{"k":"token","n":1,"t":1} {}',
    ],
)
def test_what_is_no_record(line):
    (event,) = decode(b"\x1e" + line + b"\n")
    assert isinstance(event, ev.WireGarbled)
    assert event.raw == line[:200]


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("level", {"mic": "loud"}),
        ("level", {"mic": 1e300}),
        ("level", {"mic": True}),
        ("device", {"red": 256}),
        ("session", {"state": "dancing"}),
        ("load", {"cpu": 5}),
        ("load", {"heap": []}),
        ("load", {"tasks": [["a", 1, 2, 3]]}),
        ("load", {"tasks": [["a", 1, 2, 3, "high"]]}),
    ],
)
def test_a_record_of_unknown_shape(kind, change):
    good = next(item for item in RECORDS if item["k"] == kind)
    (event,) = decode(record(**good | change))
    assert isinstance(event, ev.RecordUnknown)
    assert event.kind == kind
    assert event.reason


def test_a_share_never_exceeds_the_core():
    good = next(item for item in RECORDS if item["k"] == "load")
    (event,) = decode(record(**good | {"cpu": [1001], "tasks": [["a", 0, 1002, 3, 4]]}))
    assert isinstance(event, ev.LoadIs)
    assert (event.cpu_permille, event.tasks[0].permille) == ((1000,), 1000)


def test_infinity_is_no_number():
    good = next(item for item in RECORDS if item["k"] == "level")
    line = record(**good).replace(b"-31.5", b"1e999")
    assert isinstance(decode(line)[0], ev.RecordUnknown)


def test_lone_surrogates_do_not_get_in():
    (event,) = decode(b'\x1e{"k":"reply","n":0,"t":0,"to":1,"ok":true,"text":"a\\ud800b"}\n')
    assert isinstance(event, ev.Reply)
    assert event.text.encode()


# ---- bounds


def test_a_megabyte_without_newline():
    decoder = Decoder()
    told = []
    for _ in range(256):
        told += decoder.receive(b"y" * 4096, 1.0)
        assert len(decoder._line) <= TEXT_MAX_BYTES
    told += decoder.receive(b"\nnext\n", 2.0)
    first, rest, after = told
    assert first == ev.ConsoleLine(1.0, "y" * TEXT_MAX_BYTES)
    assert rest == ev.WireGarbled(2.0, b"y" * 200, f"{(1 << 20) - 8192} more bytes in this line")
    assert after == ev.ConsoleLine(2.0, "next")


def test_the_longest_line_and_the_longest_record_pass():
    assert decode(b"z" * TEXT_MAX_BYTES + b"\r\n") == [ev.ConsoleLine(1.0, "z" * TEXT_MAX_BYTES)]
    head, tail = b'\x1e{"k":"reply","n":0,"t":0,"to":1,"ok":true,"text":"', b'"}'
    fill = RECORD_MAX_BYTES - len(head) - len(tail) - 1
    (event,) = decode(head + b"t" * fill + tail + b"\r\n")
    assert isinstance(event, ev.Reply)
    (event,) = decode(head + b"t" * (fill + 1) + tail + b"\n")
    assert isinstance(event, ev.WireGarbled)
    assert "2048" in event.reason


# ---- sequence


def token(n: int) -> bytes:
    return record(k="token", n=n, t=0)


def boot(n: int) -> bytes:
    return record(**RECORDS[0] | {"n": n})


def losses(*lines: bytes) -> list[int]:
    return [event.count for event in decode(*lines) if isinstance(event, ev.RecordsLost)]


def test_gaps_are_told():
    assert losses(token(5), token(6)) == []
    assert losses(token(5), token(9), token(10)) == [3]
    assert losses(token(2**32 - 2), token(1)) == [2]


def test_a_restart_is_no_loss():
    assert losses(token(500), boot(0), token(1)) == []
    assert losses(token(500), token(0), boot(1), token(3)) == [1]


def test_each_link_counts_anew():
    decoder = Decoder()
    decoder.receive(token(1), 0.0)
    decoder.finish()
    assert decoder.receive(token(9), 0.0) == [ev.TokenWanted(0.0)]


# ---- prompts


def test_a_prompt_is_shown_after_a_while_and_its_newline_is_none():
    decoder = Decoder()
    assert decoder.receive(b"esp> ", 1.0) == []
    assert decoder.idle(1.1) == []
    assert decoder.idle(1.25) == [ev.ConsoleLine(1.0, "esp> ")]
    assert decoder.idle(9.0) == []
    assert decoder.receive(b"\r\n", 10.0) == []
    assert decoder.receive(b"\r\n", 10.0) == [ev.ConsoleLine(10.0, "")]


def test_what_follows_a_prompt_is_a_line():
    decoder = Decoder()
    decoder.receive(b"esp> ", 1.0)
    decoder.idle(2.0)
    assert decoder.receive(b"start\n", 3.0) == [ev.ConsoleLine(3.0, "start")]


def test_half_a_record_is_never_shown():
    decoder = Decoder()
    decoder.receive(b'\x1e{"k":', 1.0)
    assert decoder.idle(60.0) == []
    (event,) = decoder.finish()
    assert isinstance(event, ev.WireGarbled)


def test_the_rest_of_a_cut_line_is_no_prompt():
    decoder = Decoder()
    decoder.receive(b"y" * (TEXT_MAX_BYTES + 1), 1.0)
    assert decoder.idle(60.0) == []


# ---- commands


def secret_or_value(value: object) -> object:
    return Secret(value["secret"]) if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "vector",
    json.loads((VECTORS / "commands.json").read_text(encoding="utf-8")),
    ids=lambda vector: vector["line"],
)
def test_a_command_is_its_line(vector):
    keys = {key: secret_or_value(value) for key, value in vector["with"].items()}
    command = getattr(ev, vector["command"])(**keys)
    assert encode(command, vector["number"]).decode() == vector["line"] + "\n"
    shown = mirror(command)
    for value in keys.values():
        if isinstance(value, Secret):
            assert value.reveal() not in shown
            assert "•••" in shown


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("vol 5", "vol 5"),
        ("", ""),
        ("token", "token"),
        ("token ek_1 more", "token •••"),
        ("#3 TOKEN ek_1", "#3 TOKEN •••"),
        ('set api_key "sk 1', "set api_key •••"),
        ("set volume 5", "set volume 5"),
        ("set apikey sk-1", "set apikey •••"),
        ("wifi Home", "wifi Home"),
        ('wifi "My \\" Home" 12345678', 'wifi "My \\" Home" •••'),
        ("wifi My Home 12345678", "wifi My •••"),
        ("  wifi -s Home 12345678", "  wifi -s Home •••"),
        ("wifi -s Home", "wifi -s Home"),
        ("tokn ek_abc", "tokn •••"),
    ],
)
def test_typed_secrets_are_hidden(typed, shown):
    assert mirror(ev.Typed(typed)) == shown


def test_a_secret_given_as_a_plain_value_is_hidden_as_well():
    assert mirror(ev.StoreValue("wifi_psw", "12345678")) == "set wifi_psw •••"


@quick
@given(st.text(min_size=1, max_size=30))
def test_no_text_makes_two_lines(text):
    try:
        line = encode(ev.Say(text), 1)
    except BadSetting:
        return
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert b"\x1e" not in line
    assert not line[:-1].isspace()


@pytest.mark.parametrize(
    "command",
    [
        ev.Say("a\nreboot"),
        ev.Typed("a\x00b"),
        ev.StoreSecret("api_key", Secret("sk-\r\n")),
        ev.Say("ä" * 600),
        ev.StoreSecret("api_key", Secret("MARKED" * 200)),
    ],
)
def test_lines_that_cannot_be_sent(command):
    with pytest.raises(BadSetting) as told:
        encode(command, 1)
    assert "MARKED" not in f"{told.value!r} {told.value} {told.value.detail}"


def test_the_longest_command_passes():
    assert len(encode(ev.Typed("x" * 1024), None)) == 1025


def test_a_repeated_boot_record_is_no_new_start():
    boot = json.loads((VECTORS / "records.json").read_text(encoding="utf-8"))[0]["record"]
    first = record(**boot | {"n": 0})
    again = record(**boot | {"n": 5, "repeated": True})
    told = decode(first, again)
    assert [type(event) for event in told] == [ev.Boot, ev.RecordsLost, ev.Boot]
    assert told[1] == ev.RecordsLost(1.0, 4)
    anew = decode(first, record(**boot | {"n": 5}))
    assert [type(event) for event in anew] == [ev.Boot, ev.Boot]
