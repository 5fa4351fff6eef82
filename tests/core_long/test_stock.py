"""The stock openai_demo's console: vectors, and anything at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import events as ev
from app.core import stock as stocks
from app.core.events import SessionState
from app.core.load import LoadHistory
from app.core.stock import Stock
from app.core.transcript import Transcript
from app.core.wire import Decoder

quick = settings(max_examples=60, deadline=None, database=None, derandomize=True)
VECTORS = Path(__file__).parents[1] / "vectors" / "stock"
LOG = (VECTORS / "console.log").read_bytes().splitlines(keepends=True)


def read(stock: Stock, *texts: str, at: float = 1.0, step: float = 0.1) -> list[ev.Event]:
    told: list[ev.Event] = []
    for number, text in enumerate(texts):
        told += stock.take(ev.ConsoleLine(at + number * step, text))
    return told


def plain(event: ev.Event) -> list[object]:
    fields = dataclasses.asdict(event)
    fields.pop("at")
    return [type(event).__name__, json.loads(json.dumps(fields))]


def session() -> list[ev.Event]:
    decoder, stock = Decoder(), Stock()
    told: list[ev.Event] = []
    for number, line in enumerate(LOG):
        for event in decoder.receive(line, number * 0.1):
            told += stock.take(event)
    return told


def test_the_vectors():
    assert [plain(event) for event in session()] == json.loads(
        (VECTORS / "console.json").read_text()
    )


def test_the_views_read_as_with_our_own_firmware():
    transcript, load = Transcript(), LoadHistory()
    for event in session():
        transcript.apply(event)
        load.apply(event)
    shown = [getattr(row, "text", "") or getattr(row, "name", "") for row in transcript.rows]
    assert shown == [
        "Conversation started",
        "Hello, I am here.\nWhat can I do for you?",
        "SetLightState",
        "I said  …",
        "SetVolume",
        "OpenDoor",
        "hello",
        "Bye.",
        "Conversation ended",
        "The service did not accept the key.",
    ]
    assert [task.name for task in load.tasks] == ["IDLE0", "IDLE1", "pc_task", "start"]
    assert load.series(stocks_figure("RSSI")) == ([], [])
    assert load.series(stocks_figure("CPU_0"))[1] == [150]


def stocks_figure(name: str):
    from app.core.load import Figure

    return Figure[name]


def test_our_own_firmware_is_left_alone_until_the_next_reset():
    stock = Stock()
    boot = ev.Boot(1.0, "0.1.0", "", "", "", "power on", 1, "", 0, 0)
    assert stock.take(boot) == ()
    assert read(stock, "Transcript: Hello") == []
    assert not stock.active
    read(stock, "rst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)")
    assert [type(event) for event in read(stock, "Transcript: Hello")] == [ev.SessionIs, ev.Words]
    assert stock.active
    restarted = read(stock, "ESP-ROM:esp32s3-20210327")
    assert [(event.state, event.code) for event in restarted] == [("idle", "restarted")]
    stock.take(boot)
    assert not stock.active


def test_ordinary_logs_say_nothing():
    stock = Stock()
    assert read(stock, "I (31) boot: ESP-IDF v5.5.1", "", "esp> ", "I (1) webrtc: hello") == []
    assert not stock.active


def test_the_same_words_again_later_are_said_again():
    stock = Stock()
    told = read(stock, "Transcript: Yes.", "Transcript: Yes.", "Transcript: Yes.")
    told += read(stock, "esp> Transcript: Yes.", at=9.0)
    assert [event.text for event in told if isinstance(event, ev.Words)] == ["Yes.", "Yes."]


@pytest.mark.parametrize(
    ("status", "code"),
    [("401", "unauthorized"), ("429", "rate_limited"), ("503", "server_error"), ("418", "refused")],
)
def test_why_signalling_failed(status, code):
    told = read(
        Stock(),
        "I (1) OPENAI_SIGNALING: Creating OpenAI Realtime client secret",
        f"I (2) HTTPS_CLIENT: HTTP Status = {status}, content_length = 10",
        "E (3) OPENAI_SIGNALING: Fail",
    )
    assert [(event.state, event.code) for event in told][-1] == (SessionState.IDLE, code)


def test_memory_without_a_table_is_told_a_little_later():
    stock = Stock()
    memory = "I (14000) SYS_STATE: MEM Avail:62, IRam:98, PSRam:61"
    assert read(stock, memory, "", at=1.0) == []
    (sample,) = read(stock, "anything", at=5.0)
    assert isinstance(sample, ev.LoadIs)
    assert (sample.heap.free, sample.tasks, sample.cpu_permille) == (98, (), ())


def test_nothing_grows():
    stock = Stock()
    read(stock, "Begin to send json:{", *["x" * 1000] * 100, step=0.0)
    assert not stock._json
    row = "I (1) SYS_STATE: | t{}  | 6 | 60% | 0 | 812 | Ready   | 1  | Intr"
    read(stock, *[row.format(number) for number in range(500)], step=0.0)
    assert len(stock._tasks) == stocks.MOST_TASKS
    read(stock, "Begin to send json:" + "[" * 8000, *["}"] * 500, step=0.0)


PIECES = st.one_of(
    st.sampled_from([line.decode().rstrip() for line in LOG]),
    st.text(max_size=40),
    st.sampled_from(
        [
            'Begin to send json:{"type":"conversation.item.create","item":7}',
            'Begin to send json:{"type":"conversation.item.create","item":{"content":[]}}',
            "Function Call name=x call_id=(none) args=",
            "Red set to 999999999",
            "Volume set to 999999999",
            "E (1) OPENAI_APP: Realtime error: {]}",
            'E (1) OPENAI_APP: Realtime error: {"message":"m","code":null}',
            "Transcript: \\ud800",
            "====Event 999====",
            "}",
        ]
    ),
)


@quick
@given(st.lists(PIECES, max_size=40), st.floats(-1e9, 1e9), st.floats(-10, 10))
def test_any_lines_in_any_order(lines, at, step):
    stock, transcript, load = Stock(), Transcript(), LoadHistory()
    for event in read(stock, *lines, at=at, step=step):
        transcript.apply(event)
        load.apply(event)
        json.dumps(dataclasses.asdict(event)).encode()
