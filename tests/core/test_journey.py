"""The check list: every step by its proof, nothing without."""

from __future__ import annotations

import pytest

from app.core import events as ev
from app.core.events import Role, SessionState, Source, Stage
from app.core.journey import Expected, Journey, Step, title

BOARD = Source.BOARD
EXPECTED = Expected("sim://demo", "0.1.0", "0123456789abcdef", "id-1")
HEAP = ev.Heap(200_000, 1, 1)


def boot(version: str = "0.1.0", cfg_id: str = "id-1") -> ev.Boot:
    return ev.Boot(3.0, version, "0123456789abcdef", "korvo2", "host", "usb", 1, cfg_id, 0, 8 << 20)


def device(light: bool, red: int = 255) -> ev.DeviceIs:
    return ev.DeviceIs(BOARD, 7.0, light, red, 0, 0, 60, False, False)


def session(state: SessionState, code: str = "", at: float = 4.0) -> ev.SessionIs:
    return ev.SessionIs(BOARD, at, state, code, "", "rtc_1" if state is SessionState.LIVE else "")


def words(role: Role, text: str, *, final: bool = True) -> ev.Words:
    return ev.Words(BOARD, 6.0, role, "i", text, 1, final)


def load(at: float) -> ev.LoadIs:
    return ev.LoadIs(at, 1, (125, 40), HEAP, HEAP, -50)


CALL = ev.ToolCalled(BOARD, 6.0, "call_1", "SetLightState", "{}")
ANSWER = ev.ToolAnswered(BOARD, 6.0, "call_1", "SetLightState", True, '{"ok":true}')
PORT = ev.PortsAre((ev.Port("sim://demo", "Virtual board"),))

STORY: list[tuple[ev.Event, tuple[Step, ...]]] = [
    (ev.PortsAre(()), ()),
    (PORT, (Step.APPEARED,)),
    (PORT, ()),
    (ev.ConsoleLine(1.0, "hello"), ()),
    (ev.ConsoleLine(1.0, "invalid header: 0xffffffff"), (Step.BLANK,)),
    (ev.FlashStage(2.0, Stage.CONNECT), ()),
    (ev.FlashWrote(2.0, "app", 1, 10), ()),
    (ev.FlashWrote(2.0, "app", 10, 10), ()),
    (ev.FlashWrote(2.0, "cfg", 5, 5), ()),
    (ev.FlashStage(2.0, Stage.VERIFY), ()),
    (ev.FlashStage(2.0, Stage.RESTART), (Step.FLASHED, Step.VERIFIED)),
    (boot(), (Step.BOOTED, Step.PROVEN)),
    (device(light=False), ()),
    (session(SessionState.TOKEN, at=4.0), ()),
    (session(SessionState.OFFER, at=4.1), ()),
    (session(SessionState.LIVE, at=4.5), (Step.LIVE,)),
    (words(Role.ASSISTANT, "Hello."), ()),
    (words(Role.USER, "Light"), (Step.USER_WORDS,)),
    (CALL, ()),
    (device(light=False, red=7), ()),
    (device(light=True), (Step.LIGHT,)),
    (ANSWER, (Step.TOOL,)),
    (words(Role.ASSISTANT, "Done.", final=False), ()),
    (words(Role.ASSISTANT, "Done."), (Step.ASSISTANT_WORDS,)),
    (load(8.0), ()),
    (load(9.0), (Step.LOAD,)),
    (load(10.0), ()),
    (session(SessionState.CLOSING), ()),
    (session(SessionState.IDLE, "stopped"), (Step.STOPPED,)),
    (ev.TokenWanted(9.0), ()),
]


def test_the_whole_journey():
    journey = Journey(EXPECTED)
    assert journey.missing() == list(Step)
    for event, steps in STORY:
        assert journey.apply(event) == steps, event
    assert journey.missing() == [Step.HEARD, Step.CLOSED]
    assert journey.note(Step.HEARD, "3.2 s of sound", 5.25) == (Step.HEARD,)
    assert journey.note(Step.HEARD, "again", 9.0) == ()
    assert journey.first_audio_ms == 1250
    journey.note(Step.CLOSED, "0 open calls")
    assert journey.missing() == []
    assert {step.name: journey.evidence(step) for step in Step} == {
        "APPEARED": "sim://demo",
        "BLANK": "invalid header: 0xffffffff",
        "FLASHED": "15 bytes: app, cfg",
        "VERIFIED": "MD5 of every part is equal",
        "BOOTED": "korvo2, usb",
        "PROVEN": "0.1.0 0123456789abcdef",
        "LIVE": "rtc_1",
        "HEARD": "3.2 s of sound",
        "USER_WORDS": "Light",
        "TOOL": 'SetLightState {} → {"ok":true}',
        "LIGHT": "off #070000 → on #ff0000",
        "ASSISTANT_WORDS": "Done.",
        "LOAD": "CPU 12.5 % / 4.0 %, 195 KiB free",
        "STOPPED": "stopped as asked",
        "CLOSED": "0 open calls",
    }


@pytest.mark.parametrize("step", Step)
def test_every_step_has_a_title(step):
    assert title(step)


def test_the_time_counts_from_start():
    journey = Journey(EXPECTED)
    journey.started(1.0)
    journey.apply(session(SessionState.TOKEN, at=2.0))
    journey.note(Step.HEARD, "sound", 1.5)
    assert journey.first_audio_ms == 500
    unknown = Journey(EXPECTED)
    unknown.note(Step.HEARD, "sound", 1.5)
    assert unknown.first_audio_ms is None
    without = Journey(EXPECTED)
    without.note(Step.HEARD, "sound")
    assert without.first_audio_ms is None


def after(*events: ev.Event) -> list[Step]:
    journey = Journey(EXPECTED)
    for event in events:
        journey.apply(event)
    return [step for step in Step if step not in journey.missing()]


FLASHED = [event for event, _ in STORY[5:11]]


def test_what_proves_nothing():
    assert after(boot()) == []
    assert after(ev.FlashStage(1.0, Stage.RESTART)) == []
    assert after(*FLASHED[:4], FLASHED[5]) == [Step.FLASHED]
    assert Step.PROVEN not in after(*FLASHED, boot("0.0.9"))
    assert Step.PROVEN not in after(*FLASHED, boot(cfg_id=""))
    assert after(device(light=False), device(light=True)) == []
    assert after(ANSWER) == []
    assert after(words(Role.USER, "  ")) == []
    assert after(session(SessionState.IDLE, "stopped")) == []
    assert after(session(SessionState.LIVE), session(SessionState.IDLE, "expired")) == [Step.LIVE]
    assert after(ev.SessionIs(Source.DESKTOP, 1.0, SessionState.LIVE)) == []
    failed = ev.ToolAnswered(BOARD, 6.0, "call_1", "SetLightState", False, "{}")
    assert after(CALL, failed) == []
    empty = ev.LoadIs(1.0, 1, (), HEAP, HEAP, 0)
    assert after(empty, empty) == []


def test_a_light_nobody_told_of_was_off():
    assert after(CALL, device(light=True)) == [Step.LIGHT]
    assert after(device(light=True), CALL, device(light=True, red=7)) == [Step.LIGHT]
    assert after(device(light=True), CALL, device(light=True)) == []
    assert after(device(light=True), CALL, device(light=False)) == [Step.LIGHT]
