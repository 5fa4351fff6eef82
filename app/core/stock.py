"""Espressif's stock openai_demo, read from its log: the same events as our wire's records give.

It prints for people, so this is a guess made of lines, and only what it prints can be known: words
of the assistant, tool calls, effects, errors, memory and tasks on `i`, bytes sent and received. It
never tells the user's words (but for typed ones), the Wi-Fi's strength, or when a turn began.

Chosen by what arrives: the first line only the demo prints makes it `active`, a `boot` record of
our own firmware ends that, and a reset opens the question again. Nothing here raises, whatever
comes, and nothing grows: one JSON text of 16 KiB and one table of 64 tasks are kept at most.
"""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, replace

from app.core.events import (
    BoardError,
    Boot,
    ConsoleLine,
    DeviceIs,
    Event,
    Heap,
    LinkClosed,
    LoadIs,
    MediaIs,
    Role,
    SessionIs,
    SessionState,
    Source,
    TaskLoad,
    ToolAnswered,
    ToolCalled,
    WifiIs,
    Words,
)

JSON_MOST_CHARACTERS = 16_384
JSON_MOST_LINES = 400
MOST_TASKS = 64
SAME_WORDS_WITHIN_S = 2.0
"""The demo prints a transcript up to five times while one response ends."""
_MEMORY_WAITS_S = 3.0
_STATS_EVERY_S = 2.0
_U32 = (1 << 32) - 1
_BOARD = Source.BOARD

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LOG = re.compile(r"([EWIDV]) \((\d{1,12})\) ([^:]{1,64}): ?(.*)")
_EVENT = re.compile(r"=+Event (\d{1,3})=+")
_PEER = re.compile(r"PeerConnectionState: (\d{1,3})")
_TRANSCRIPT = re.compile(r"Transcript: (.*)")
_CALL = re.compile(r"Function Call name=(\S+) call_id=(\S+) args=(.*)")
_EFFECT = re.compile(
    r"(?:Light set to (?P<light>ON|OFF)|(?P<colour>Red|Green|Blue) set to (?P<part>\d{1,9})"
    r"|Volume set to (?P<volume>\d{1,9})|Door is (?P<door>Opened|Closed))"
)
_BAD_CALL = re.compile(
    r"(?:Missing required attribute: .*|Unhandled attribute type or invalid value for: .*"
    r"|Error parsing arguments JSON|Error parsing JSON data)"
)
_SENT = re.compile(r"Begin to send json:(.*)")
_API_ERROR = re.compile(r"Realtime error: (\{.*\})")
_STATS = re.compile(
    r"Send A:\d{1,12} \[\d{1,12}:(\d{1,12})\] Recv A:\d{1,12} \[\d{1,12}:(\d{1,12})\]"
)
_STATUS = re.compile(r"HTTP Status = (\d{3})\b")
_MEMORY = re.compile(r"MEM Avail:\d{1,12}, IRam:(\d{1,12}), PSRam:(\d{1,12})")
_TASK = re.compile(
    r"\| (.{1,17}?) +\| (\d{1,15}) +\| ?(\d{1,4})% +\| (\d{1,4}) +\| (\d{1,9}) +\| "
    r"(?:Running|Ready|Blocked|Suspend|Deleted) *\| ([0-9a-f]{1,8}) +\| (?:Extr|Intr)"
)
# One look that spares all the others: a flood of other lines must cost nothing.
_SIGNS = re.compile(
    r"=Event |PeerConn|Transcript: |Function Call |Begin to send json:|HTTPS_CLIENT|OPENAI_"
    r"|NETWORK|SYS_STATE|webrtc: Send | set to |Door is |Missing required |Unhandled attribute"
    r"|Error parsing"
)
# Lines of a table that are no rows: titles, and tasks that came or went.
_TABLE = re.compile(r"\| .*")
_CODE_OF_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}


@dataclass(frozen=True, slots=True)
class _Line:
    """A console line taken apart; `tag` and `severity` are empty for plain text."""

    at: float
    severity: str
    tag: str
    body: str
    uptime_ms: int


@dataclass(slots=True)
class _Call:
    """The call whose effects are being printed."""

    at: float
    call: str
    name: str
    effects: list[str]
    ok: bool = True


class Stock:
    """One link's log text → events."""

    def __init__(self) -> None:
        self.active = False
        """Whether the board runs the demo, as far as can be told."""
        self._ours = False
        self._count = 0  # of names given; never again from the start, rows are found by them
        self._restart()

    def _restart(self) -> None:
        self._state = SessionState.IDLE
        self._status = 0
        self._words = ("", float("-inf"))
        self._calls: deque[str] = deque(maxlen=16)
        self._call: _Call | None = None
        self._device = DeviceIs(_BOARD, 0.0, False, 255, 255, 255, -1, False, False)
        self._json: list[str] = []
        self._json_characters = 0
        self._memory: tuple[float, int, int, int] | None = None
        self._least = (_U32, _U32)
        self._tasks: list[TaskLoad] = []
        self._stats_at: float | None = None

    def take(self, event: Event) -> tuple[Event, ...]:
        """What the event tells beyond itself: nothing for all but the demo's own lines."""
        match event:
            case ConsoleLine(at=at, text=text):
                if text.startswith(("ESP-ROM:", "rst:0x")):
                    return self._reset(at)
                if self._ours or not (self._is_waiting() or _SIGNS.search(text)):
                    return ()
                return tuple(self._read(_taken_apart(at, text)))
            case Boot():
                self._ours, self.active = True, False
                self._restart()
            case LinkClosed():
                self._ours = self.active = False
                self._restart()
        return ()

    def _is_waiting(self) -> bool:
        """Whether the next line may end or go on with something."""
        return bool(self._json or self._tasks or self._call or self._memory)

    def _reset(self, at: float) -> tuple[Event, ...]:
        self._ours = False
        ended = self._session(at, SessionState.IDLE, "restarted") if self.active else []
        self._restart()
        return tuple(ended)

    def _read(self, line: _Line) -> list[Event]:
        told = self._finished(line)
        told += self._json_goes_on(line) if self._json else []
        found = self._of_session(line)
        if found is None:
            found = self._of_talk(line)
        if found is None:
            found = self._of_board(line)
        if found is not None:
            self.active = True
            told += found
        return told

    # ---- the session

    def _of_session(self, line: _Line) -> list[Event] | None:
        body = line.body
        if found := _EVENT.fullmatch(body):
            return self._webrtc_event(line.at, int(found[1]))
        if line.tag == "webrtc" and (found := _PEER.match(body)):
            return self._peer_state(line.at, int(found[1]))
        if line.tag == "HTTPS_CLIENT" and (found := _STATUS.match(body)):
            self._status = int(found[1])
            return []
        if line.tag == "OPENAI_SIGNALING":
            return self._signalling(line)
        if line.tag == "OPENAI_APP" and (found := _API_ERROR.match(body)):
            return [_api_error(line.at, found[1])]
        if line.tag == "NETWORK":
            return self._network(line)
        return None

    def _webrtc_event(self, at: float, number: int) -> list[Event]:
        match number:
            case 1 | 2 | 3:
                return self._session(at, SessionState.CONNECTING)
            case 4:
                return self._session(at, SessionState.IDLE, "peer_failed")
            case 5:
                return self._session(at, SessionState.IDLE)
            case 8:
                return self._session(at, SessionState.LIVE)
            case _:
                return []

    def _peer_state(self, at: float, number: int) -> list[Event]:
        match number:
            case 0 | 1:
                return self._session(at, SessionState.IDLE)
            case 2 | 3 | 4 | 5 | 6 | 7:
                return self._session(at, SessionState.CONNECTING)
            case 8:
                return self._session(at, SessionState.IDLE, "peer_failed")
            case 10:
                return self._session(at, SessionState.LIVE)
            case _:
                return []

    def _signalling(self, line: _Line) -> list[Event]:
        if line.severity == "E":
            fallback = "server_error" if self._status >= 500 else "refused"
            code = _CODE_OF_STATUS.get(self._status, fallback if self._status else "unreachable")
            return self._session(line.at, SessionState.IDLE, code, line.body)
        if line.body.startswith("Creating OpenAI Realtime client secret"):
            self._status = 0
            return self._session(line.at, SessionState.TOKEN)
        if line.body.startswith("Exchanging SDP"):
            return self._session(line.at, SessionState.OFFER)
        return []

    def _session(
        self, at: float, state: SessionState, code: str = "", reason: str = ""
    ) -> list[Event]:
        # Connecting is told by several lines, some of them after the channel opened.
        back = state is SessionState.CONNECTING and self._state is SessionState.LIVE
        if state is self._state or back:
            return []
        self._state = state
        return [SessionIs(_BOARD, at, state, code, reason)]

    @staticmethod
    def _network(line: _Line) -> list[Event]:
        if line.body.startswith("got ip:"):
            return [WifiIs(line.at, "up", ip=line.body.removeprefix("got ip:").strip()[:40])]
        if line.body.startswith("retry to connect to the AP"):
            return [WifiIs(line.at, "joining")]
        return []

    # ---- words and tools

    def _of_talk(self, line: _Line) -> list[Event] | None:
        body = line.body
        if found := _TRANSCRIPT.fullmatch(body):
            return self._said(line.at, found[1])
        if found := _CALL.fullmatch(body):
            return self._called(line.at, *found.groups())
        if _BAD_CALL.fullmatch(body):
            if self._call is not None:
                self._call.effects.append(body)
                self._call.ok = False
            return []
        if found := _SENT.match(body):
            self._json, self._json_characters = [], 0
            return self._json_piece(line.at, found[1])
        return None

    def _said(self, at: float, text: str) -> list[Event]:
        before, told_at = self._words
        self._words = (text, at)
        if text == before and at - told_at < SAME_WORDS_WITHIN_S:
            return []
        told = self._session(at, SessionState.LIVE)  # who speaks is connected
        item = self._next("item")
        return [*told, Words(_BOARD, at, Role.ASSISTANT, item, _unescaped(text), 1, True)]

    def _called(self, at: float, name: str, call: str, arguments: str) -> list[Event]:
        if call in self._calls:
            return []
        call = self._next("call") if call == "(none)" else call[:200]
        self._calls.append(call)
        self._call = _Call(at, call, name[:200], [])
        return [ToolCalled(_BOARD, at, call, name[:200], arguments)]

    def _next(self, kind: str) -> str:
        self._count += 1
        return f"stock-{kind}-{self._count}"

    def _json_goes_on(self, line: _Line) -> list[Event]:
        """The `text` command prints its JSON over several lines; log lines may come between."""
        return [] if line.tag else self._json_piece(line.at, line.body)

    def _json_piece(self, at: float, piece: str) -> list[Event]:
        self._json.append(piece)
        self._json_characters += len(piece)
        if piece.rstrip().endswith("}"):
            try:
                sent = json.loads("\n".join(self._json))
            except (ValueError, RecursionError):
                pass
            else:
                self._json = []
                return self._json_sent(at, sent)
        if self._json_characters > JSON_MOST_CHARACTERS or len(self._json) > JSON_MOST_LINES:
            self._json = []
        return []

    def _json_sent(self, at: float, sent: object) -> list[Event]:
        match sent:
            case {
                "type": "conversation.item.create",
                "item": {"role": "user", "content": [{"text": str(text)}, *_]},
            }:
                return [Words(_BOARD, at, Role.USER, self._next("item"), _clean(text), 1, True)]
            case {
                "type": "conversation.item.create",
                "item": {
                    "type": "function_call_output", "call_id": str(call), "output": str(output),
                },
            } if self._call is not None and self._call.call == call[:200]:  # fmt: skip
                ended, self._call = self._call, None
                return [_answer(ended, at, _clean(output)), *self._effects_of(ended, at)]
        return []

    # ---- the board

    def _of_board(self, line: _Line) -> list[Event] | None:
        if found := _EFFECT.fullmatch(line.body):
            return self._effect(line, found)
        if line.tag == "webrtc" and (found := _STATS.match(line.body)):
            return self._stats(line.at, int(found[1]), int(found[2]))
        if line.tag != "SYS_STATE":
            return None
        if found := _MEMORY.match(line.body):
            told = self._load(line.at)
            internal, external = (min(int(part), _U32) for part in found.groups())
            self._memory = (line.at, line.uptime_ms, internal, external)
            self._least = (min(self._least[0], internal), min(self._least[1], external))
            return told
        if (found := _TASK.fullmatch(line.body)) and len(self._tasks) < MOST_TASKS:
            name, _, percent, priority, left, core = found.groups()
            number = int(core, 16)
            self._tasks.append(
                TaskLoad(
                    name.strip(),
                    number if number < 2 else -1,
                    min(int(percent) * 10, 1000),
                    int(left),
                    min(int(priority), 255),
                )
            )
        return []

    def _effect(self, line: _Line, found: re.Match[str]) -> list[Event]:
        device = replace(self._device, at=line.at)
        if light := found["light"]:
            device = replace(device, light=light == "ON")
        elif colour := found["colour"]:
            value = min(int(found["part"]), 255)
            red = value if colour == "Red" else device.red
            green = value if colour == "Green" else device.green
            blue = value if colour == "Blue" else device.blue
            device = replace(device, red=red, green=green, blue=blue)
        elif volume := found["volume"]:
            device = replace(device, volume=min(int(volume), 100))
        else:
            device = replace(device, door=found["door"] == "Opened")
        self._device = device
        if self._call is None:
            return [device]
        self._call.effects.append(line.body)
        return []

    def _effects_of(self, call: _Call, at: float) -> list[Event]:
        return [replace(self._device, at=at)] if call.effects and call.ok else []

    def _stats(self, at: float, up_bytes: int, down_bytes: int) -> list[Event]:
        """Bytes since the last such line; the counters start anew with each."""
        since, self._stats_at = self._stats_at, at
        seconds = _STATS_EVERY_S if since is None else at - since
        if not 0.2 <= seconds <= 60:
            seconds = _STATS_EVERY_S
        up, down = (min(round(part * 8 / seconds), _U32) for part in (up_bytes, down_bytes))
        return [MediaIs(_BOARD, at, up, down, 0, 0, 0, 0)]

    def _finished(self, line: _Line) -> list[Event]:
        """Calls and tables have no end mark: they end where something else begins."""
        told: list[Event] = []
        call = self._call
        is_part = _EFFECT.fullmatch(line.body) or _BAD_CALL.fullmatch(line.body)
        if call is not None and call.effects and not is_part and not _SENT.match(line.body):
            self._call = None
            told += [_answer(call, line.at, "; ".join(call.effects))]
            told += self._effects_of(call, line.at)
        waited = self._memory is not None and line.at - self._memory[0] > _MEMORY_WAITS_S
        if (self._tasks and not _TABLE.match(line.body)) or (waited and not self._tasks):
            told += self._load(line.at)
        return told

    def _load(self, at: float) -> list[Event]:
        """The sample whose memory and tasks were told; largest blocks and RSSI are not: 0."""
        memory, tasks = self._memory, tuple(self._tasks)
        self._memory, self._tasks = None, []
        if memory is None:
            return []
        _, uptime_ms, internal, external = memory
        idle = {task.name: task.permille for task in tasks if task.name in ("IDLE0", "IDLE1")}
        cpu = tuple(1000 - idle[name] for name in ("IDLE0", "IDLE1") if name in idle)
        heap, psram = Heap(internal, self._least[0], 0), Heap(external, self._least[1], 0)
        return [LoadIs(at, uptime_ms, cpu, heap, psram, 0, tasks)]


def _taken_apart(at: float, text: str) -> _Line:
    plain = _ANSI.sub("", text).rstrip()
    while plain.startswith("esp> "):
        plain = plain.removeprefix("esp> ")
    found = _LOG.fullmatch(plain)
    if found is None:
        return _Line(at, "", "", plain, 0)
    return _Line(at, found[1], found[3].strip(), found[4], int(found[2]))


def _answer(call: _Call, at: float, output: str) -> ToolAnswered:
    ms = max(0, min(_U32, round((at - call.at) * 1000)))
    return ToolAnswered(_BOARD, at, call.call, call.name, call.ok, output, ms)


def _api_error(at: float, text: str) -> BoardError:
    match _parsed(text):
        case {"message": str(message), **rest} | {"error": {"message": str(message), **rest}}:
            code = rest.get("code") or rest.get("type")
            return BoardError(_BOARD, at, _clean(code if isinstance(code, str) else "api"), message)
        case _:
            return BoardError(_BOARD, at, "api", text[:500])


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed


def _unescaped(text: str) -> str:
    """JSON's escapes resolved; the demo cuts a text at its first inner quote."""
    cut = text.endswith("\\") and not text.endswith("\\\\")
    resolved = _parsed(f'"{text[:-1] if cut else text}"')
    return _clean(resolved if isinstance(resolved, str) else text) + (" …" if cut else "")


def _clean(text: str) -> str:
    """Without lone surrogates, which JSON can spell and UTF-8 cannot carry."""
    return text.encode(errors="surrogatepass").decode(errors="replace")
