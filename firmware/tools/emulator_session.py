"""One whole conversation with a board on a serial line, for a machine to judge.

    python firmware/tools/emulator_session.py socket://127.0.0.1:5555 --base-url http://10.0.2.2:PORT/v1

Waits for the boot record, stores the address of the service and a made-up key, joins, starts, and
then wants the session LIVE, what the user said and what the assistant answered to it, in writing.
Exit code 0: all of it happened, and the board ended the session when asked. 1: it did not; the last
lines say what is missing. 2: wrong use. Whatever the board prints goes to the standard output.

It needs pyserial and this checkout's own reader of the wire, and knows nothing of the emulator: any
pyserial address will do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import serial

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from app.core import events, wire
from app.core.secret import Secret

NOT_A_KEY = "sk-emulator"
FATAL_TEXTS = ("Guru Meditation", "abort() was called", "Rebooting...", "stack overflow")


class Missed(Exception):  # noqa: N818  it names what happened, as Fault does
    """Something did not happen; the text says what."""


class Talk:
    """The line to the board: commands out, events in, everything printed as it comes."""

    def __init__(self, port: serial.SerialBase) -> None:
        self._port = port
        self._decoder = wire.Decoder()
        self._commands = 0
        self._waiting: list[events.Event] = []

    def send(self, command: events.Command) -> int:
        """Send a command; its number."""
        self._commands += 1
        print(f"> {wire.mirror(command)}", flush=True)
        self._port.write(wire.encode(command, self._commands))
        return self._commands

    def ask(self, command: events.Command, within_s: float = 15) -> None:
        """Send a command and wait until the board agrees. Raises Missed when it does not."""
        number = self.send(command)
        reply = self.wait(
            f"a reply to: {wire.mirror(command)}",
            lambda event: isinstance(event, events.Reply) and event.to == number,
            within_s,
        )
        if isinstance(reply, events.Reply) and not reply.ok:
            raise Missed(f"refused: {wire.mirror(command)}: {reply.text}")

    def wait(
        self, what: str, wanted: Callable[[events.Event], bool], within_s: float
    ) -> events.Event:
        """The next event that is wanted; others go by. Raises Missed at the deadline."""
        deadline = time.monotonic() + within_s
        while True:
            while self._waiting:
                event = self._waiting.pop(0)
                _judge(event)
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                raise Missed(f"not within {within_s:.0f} s: {what}")
            data = self._port.read(max(1, min(self._port.in_waiting, 4096)))
            self._waiting += self._decoder.receive(data, time.monotonic())


def _judge(event: events.Event) -> None:
    """Print what is worth it. Raises Missed for what must not happen."""
    match event:
        case events.LevelIs() | events.RecordUnknown():
            return
        case events.ConsoleLine(text=text):
            print(text, flush=True)
            if any(fatal in text for fatal in FATAL_TEXTS):
                raise Missed(f"the board crashed: {text}")
        case events.Words(final=False):
            return
        case events.SessionIs(state=events.SessionState.IDLE | events.SessionState.WAITING):
            print(event, flush=True)
            if event.code not in ("", "stopped"):
                raise Missed(f"the session ended: {event.code} {event.reason}")
        case _:
            print(event, flush=True)


def hold(talk: Talk, wishes: argparse.Namespace) -> None:
    """The conversation. Raises Missed."""
    if wishes.reboot:
        talk.send(events.Reboot())
    talk.wait("a boot record", lambda event: isinstance(event, events.Boot), wishes.boot_s)
    # Without a greeting: what the assistant says is an answer.
    settings = {"auto_start": "0", "greeting": "", "base_url": wishes.base_url}
    settings |= dict(pair.split("=", 1) for pair in wishes.set)
    for key, value in settings.items():
        talk.ask(events.StoreValue(key, value))
    talk.ask(events.StoreSecret("api_key", Secret(NOT_A_KEY)))
    password = Secret(wishes.password) if wishes.password else None
    talk.ask(events.JoinWifi(wishes.network, password, keep=True))
    talk.wait(
        "the network",
        lambda event: isinstance(event, events.WifiIs) and event.state == "up",
        wishes.within_s,
    )
    talk.ask(events.Start())
    talk.wait(
        "the session to be live",
        lambda event: isinstance(event, events.SessionIs) and event.state == "live",
        wishes.within_s,
    )
    if wishes.text:
        talk.ask(events.Say(wishes.text))
    # What was said may be written down after the answer to it: transcription takes its own time.
    missing = {events.Role.USER, events.Role.ASSISTANT}
    while missing:
        what = " and ".join(sorted(role.value for role in missing))
        said = talk.wait(
            f"in writing: {what}", lambda event: _role(event) in missing, wishes.talk_s
        )
        missing.discard(_role(said))
    talk.ask(events.AskLoad())
    talk.wait("the load", lambda event: isinstance(event, events.LoadIs), 15)
    talk.ask(events.Stop())
    talk.wait(
        "the end of the session",
        lambda event: isinstance(event, events.SessionIs) and event.state == "idle",
        15,
    )


def _role(event: events.Event) -> events.Role | None:
    """Whose text this completes; None when it completes none."""
    if isinstance(event, events.Words) and event.final and event.text.strip():
        return event.role
    return None


def open_port(port: serial.SerialBase, within_s: float = 15) -> None:
    """Open the line; an emulator that has just been started may need a moment. Raises Missed."""
    deadline = time.monotonic() + within_s
    while not port.is_open:
        try:
            port.open()
        except serial.SerialException as why:
            if time.monotonic() > deadline:
                raise Missed(str(why)) from why
            time.sleep(0.2)


def main() -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("port", help="as pyserial names it")
    parser.add_argument("--base-url", required=True, help="of the service, as the board sees it")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--network", default="emulator", help="Wi-Fi name; the emulator takes any")
    parser.add_argument("--password", default="")
    parser.add_argument("--text", default="", help="typed turn; without it: the microphone's")
    parser.add_argument("--reboot", action="store_true", help="the board runs already")
    parser.add_argument("--boot-s", type=float, default=60)
    parser.add_argument("--within-s", type=float, default=60, help="for the network, for the call")
    parser.add_argument("--talk-s", type=float, default=90, help="for each of the two transcripts")
    wishes = parser.parse_args()
    if any("=" not in pair for pair in wishes.set):
        parser.error("--set takes KEY=VALUE")
    port = serial.serial_for_url(wishes.port, do_not_open=True, timeout=0.2)
    if not wishes.port.startswith("socket:"):
        port.dtr = port.rts = False  # on a board these are reset and boot mode
    try:
        open_port(port)
    except Missed as missed:
        print(f"FAILED: {missed}", flush=True)
        return 1
    with port:
        try:
            hold(Talk(port), wishes)
        except Missed as missed:
            print(f"FAILED: {missed}", flush=True)
            return 1
    print("PASSED: boot, network, live, both sides in writing, end", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
