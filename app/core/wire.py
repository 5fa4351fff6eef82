"""The console wire: bytes of a board ↔ events and commands.

The law is firmware/components/parley_core/README.md. Whatever comes, nothing raises and nothing
grows: a line keeps at most 8 KiB, a record 2 KiB, the rest of it is counted and dropped.

A record also begins at an `0x1E` in the middle of a line: a board that was reset while it wrote
leaves half a line behind, and its next record must not be lost with it (JSON never holds that byte
raw). Half a line of log text that is followed by silence is a prompt, so `idle` shows it; half a
record is never shown.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from app.core.events import (
    AnswerTool,
    AskLoad,
    Boot,
    Command,
    ConsoleLine,
    Event,
    GiveToken,
    Hello,
    JoinWifi,
    Mute,
    Reboot,
    RecordsLost,
    RecordUnknown,
    Say,
    Scan,
    SetVolume,
    Severity,
    ShowSettings,
    Start,
    Stop,
    StoreSecret,
    StoreValue,
    TestSound,
    Typed,
    WireGarbled,
)
from app.core.faults import BadSetting
from app.core.language import tr
from app.core.records import Fields, RecordError, event_of
from app.core.schema import BY_KEY
from app.core.secret import Secret

TEXT_MAX_BYTES = 8192
RECORD_MAX_BYTES = 2048
"""From the record's mark to its newline, both counted."""
COMMAND_MAX_BYTES = 1024
PROMPT_AFTER_S = 0.2
"""Silence after which half a line is taken for a prompt."""

_RS = b"\x1e"
_RAW_MAX_BYTES = 200
_SEQUENCE = 1 << 32
# ESP-IDF, log format V1: letter, time (ms or clock), tag; colour and a prompt may come before it.
_LOG = re.compile(r"(?:\x1b\[[0-9;]{0,16}m|esp> )*([EWIDV]) \([0-9:. ]{1,24}\) ([^:]{1,64}):")
# What a terminal would act on is shown as its picture instead; tab and ANSI's escape are kept.
_PICTURES = {code: 0x2400 + code for code in range(32) if code not in (0x09, 0x1B)} | {127: 0x2421}


class Decoder:
    """One link's bytes → events, wherever the bytes are cut."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._in_record = False
        self._dropped = 0
        self._dropped_head = b""
        self._flushed = False  # the start of this line was shown as a prompt
        self._sequence: int | None = None  # `n` of the next record
        self._at = 0.0
        self._events: list[Event] = []

    def receive(self, data: bytes, at: float) -> list[Event]:
        """What `data` completes. `at`: when it arrived, monotonic seconds."""
        self._at = at
        *whole, last = data.split(b"\n")
        for piece in whole:
            self._take(piece)
            self._end_line()
        self._take(last)
        return self._told()

    def idle(self, at: float) -> list[Event]:
        """Shows half a line of log text when nothing followed it for a while: a prompt."""
        waits = self._line and not self._in_record and not self._dropped
        if waits and at - self._at >= PROMPT_AFTER_S:
            self._tell_text()
            self._line.clear()
            self._flushed = True
        return self._told()

    def finish(self) -> list[Event]:
        """The link ended: what was left, and a fresh start for the next link."""
        self._cut("the link ended in it")
        self._sequence = None
        return self._told()

    def _told(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def _take(self, piece: bytes) -> None:
        text, mark, rest = piece.partition(_RS)
        self._append(text)
        while mark:
            self._cut("the next record began in it")
            self._in_record = True
            text, mark, rest = rest.partition(_RS)
            self._append(text)

    def _append(self, piece: bytes) -> None:
        most = RECORD_MAX_BYTES - 2 if self._in_record else TEXT_MAX_BYTES
        room = most - len(self._line)
        self._line += piece[:room]
        rest = piece[room:]
        if not rest:
            return
        if not self._dropped and not self._in_record:
            self._tell_text()
        self._dropped += len(rest)
        self._dropped_head += rest[: _RAW_MAX_BYTES - len(self._dropped_head)]

    def _cut(self, why: str) -> None:
        """Ends a line that has no newline."""
        if self._in_record:
            self._garbled(bytes(self._line), f"record cut off: {why}")
            self._restart_line()
        elif self._line:
            self._end_line()
        else:
            self._restart_line()

    def _end_line(self) -> None:
        # The one byte too many may be the `\r` of the line's end.
        too_long = bool(self._dropped_head.rstrip(b"\r"))
        match self._in_record, too_long:
            case True, True:
                self._garbled(bytes(self._line), f"record over {RECORD_MAX_BYTES} bytes")
            case True, False:
                self._record(bytes(self._line))
            case False, True:
                self._garbled(self._dropped_head, f"{self._dropped} more bytes in this line")
            case _ if not self._dropped and not (self._flushed and not self._line.rstrip(b"\r")):
                self._tell_text()
        self._restart_line()

    def _restart_line(self) -> None:
        self._line.clear()
        self._in_record = False
        self._dropped = 0
        self._dropped_head = b""
        self._flushed = False

    def _tell_text(self) -> None:
        text = self._line.rstrip(b"\r").decode(errors="replace").translate(_PICTURES)
        found = _LOG.match(text)
        if found:
            self._events.append(ConsoleLine(self._at, text, Severity(found[1]), found[2]))
        else:
            self._events.append(ConsoleLine(self._at, text))

    def _garbled(self, raw: bytes, reason: str) -> None:
        self._events.append(WireGarbled(self._at, raw[:_RAW_MAX_BYTES], reason))

    def _record(self, raw: bytes) -> None:
        try:
            record = json.loads(raw.decode(), parse_constant=_no_constant)
            fields = Fields(record)
            kind = fields.text("k")
            sequence = fields.integer("n", 0, _SEQUENCE - 1)
        except (ValueError, RecursionError) as why:
            self._garbled(raw, f"not a record: {why}")
            return
        try:
            event = event_of(kind, fields, self._at)
        except RecordError as why:
            event = RecordUnknown(self._at, kind, str(why))
        starts_anew = kind == "boot" and not (isinstance(event, Boot) and event.repeated)
        self._count(sequence, starts_anew=starts_anew)
        self._events.append(event)

    def _count(self, sequence: int, *, starts_anew: bool) -> None:
        expected = sequence if self._sequence is None or starts_anew else self._sequence
        gap = (sequence - expected) % _SEQUENCE
        # A jump back is a board that restarted before its `boot` record, not four billion losses.
        if 0 < gap < _SEQUENCE // 2:
            self._events.append(RecordsLost(self._at, gap))
        self._sequence = (sequence + 1) % _SEQUENCE


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# ---- down


def encode(command: Command, number: int | None) -> bytes:
    """The line for the board, newline included. The one function here that opens a Secret.

    `number` comes back in the board's reply; a typed line goes without. Raises BadSetting when the
    line cannot be sent: over 1,024 bytes, or a control character in it.
    """
    line = _line(command, lambda secret: secret.reveal())
    if number is not None and not isinstance(command, Typed):
        line = f"#{number} {line}"
    if any(char < " " or char == "\x7f" for char in line):
        raise BadSetting(
            tr("This has a character in it that the board cannot take."),
            tr("Write it on one line, with letters, digits and signs."),
        )
    data = line.encode(errors="replace")
    if len(data) > COMMAND_MAX_BYTES:
        raise BadSetting(
            tr("This is too long to send to the board."),
            tr("Make it shorter. A long text can be stored with the next installation."),
            f"{len(data)} bytes, {COMMAND_MAX_BYTES} fit",
        )
    return data + b"\n"


def mirror(command: Command) -> str:
    """`command` as the console may show it: secrets as dots, in what the user typed as well."""
    return _KEY.sub(str(Secret("")), _hidden(_line(command, str)))


def _line(command: Command, show: Callable[[Secret], str]) -> str:
    match command:
        case Start():
            return "start"
        case Stop():
            return "stop"
        case AskLoad(every_s):
            return "i" if every_s is None else f"i {every_s}"
        case JoinWifi(ssid, password, keep):
            words = ["wifi", *(["-s"] if keep else []), _word(ssid)]
            return " ".join(words if password is None else [*words, _word(show(password))])
        case Say(text):
            return f"text {_quoted(text)}"
        case SetVolume(percent):
            return f"vol {percent}"
        case Mute(on):
            return f"mute {int(on)}"
        case Scan():
            return "scan"
        case ShowSettings():
            return "cfg"
        case StoreValue(key, value):
            return f"set {_word(key)} {_word(value)}"
        case StoreSecret(key, secret):
            return f"set {_word(key)} {_word(show(secret))}"
        case GiveToken(token):
            return f"token {_word(show(token))}"
        case AnswerTool(call, output):
            # A quote inside a word is a letter: JSON without spaces goes as it is.
            is_word = output and " " not in output and not output.startswith('"')
            return f"answer {_word(call)} {output if is_word else _quoted(output)}"
        case TestSound():
            return "sound"
        case Hello():
            return "hello"
        case Reboot():
            return "reboot"
        case Typed(line):
            return line.rstrip("\r\n")


def _word(text: str) -> str:
    plain = text and not any(char in ' "\\' for char in text)
    return text if plain else _quoted(text)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_WORD = re.compile(r'"(?:\\.|[^"\\])*"?|\S+')
# OpenAI's keys, wherever they were pasted.
_KEY = re.compile(r"\b(?:sk-|ek_)[A-Za-z0-9_-]+")


def _hidden(line: str) -> str:
    """`line` with everything after a secret's place replaced by dots; too much rather than less."""
    words = list(_WORD.finditer(line))
    if words and words[0][0].startswith("#"):
        words = words[1:]
    match [word[0].strip('"').lower() for word in words]:
        case ["token", _, *_]:
            kept = 1
        case ["set", key, _, *_] if key not in BY_KEY or BY_KEY[key].secret:
            kept = 2
        case ["wifi", "-s", _]:
            return line
        case ["wifi", "-s", _, _, *_]:
            kept = 3
        case ["wifi", _, _, *_]:
            kept = 2
        case _:
            return line
    return f"{line[: words[kept - 1].end()]} {Secret('')}"
