"""What the board bar says and allows, from what is known: a fold over events, no widget."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.events import (
    Boot,
    ConsoleLine,
    LinkClosed,
    LinkOpened,
    Port,
    PortsAre,
    SessionIs,
    SessionState,
    Source,
    WifiIs,
)
from app.core.language import tr
from app.core.session_text import sentence
from app.ui.controls import Tone

_ON_THE_WAY = (SessionState.TOKEN, SessionState.OFFER, SessionState.CONNECTING)


@dataclass(slots=True)
class BoardState:
    """The one board of this window, as its events tell it."""

    ports: tuple[Port, ...] = ()
    port: str = ""
    linked: bool = False
    blank: bool = False
    boot: Boot | None = None
    wifi: WifiIs | None = None
    session: SessionIs | None = None
    busy: str = ""
    """What the program does with the board now: "install", "demo", "restart", or nothing."""
    _known: dict[str, Port] = field(default_factory=dict)

    def take(self, event: object) -> bool:
        """Takes one event; whether the bar may look different now."""
        match event:
            case PortsAre(ports=ports):
                self.ports = ports
                self._known = {port.name: port for port in ports}
            case LinkOpened(port=port):
                self.port, self.linked = port, True
            case LinkClosed():
                self.linked, self.wifi, self.session = False, None, None
            case Boot():
                self.boot, self.blank, self.session, self.wifi = event, False, None, None
            case WifiIs():
                self.wifi = event
            case SessionIs(source=Source.BOARD):
                self.session, self.blank = event, False
            case ConsoleLine(text=text) if not self.blank and "invalid header" in text:
                self.blank = True
            case _:
                return False
        return True

    @property
    def title(self) -> str:
        """The board's name as the list of ports has it."""
        known = self._known.get(self.port)
        return (known.title or known.name) if known else self.port

    @property
    def state(self) -> SessionState:
        return self.session.state if self.session else SessionState.IDLE

    @property
    def talking(self) -> bool:
        """Whether there is something that Stop would end."""
        return self.linked and self.state is not SessionState.IDLE

    @property
    def live(self) -> bool:
        return self.linked and self.state is SessionState.LIVE

    @property
    def startable(self) -> bool:
        return self.linked and not self.blank and self.state is not SessionState.CLOSING

    def chip(self) -> tuple[str, Tone, str]:
        """The state in a word, its tone, and the story behind it."""
        hint = self._hint()
        if self.busy == "install":
            return tr("Installing"), Tone.BUSY, hint
        if not self.linked:
            return tr("Not connected"), Tone.QUIET, hint
        if self.blank:
            return tr("No firmware"), Tone.WARNING, tr("Press Install to put the firmware on it.")
        if self.state in _ON_THE_WAY:
            return tr("Connecting"), Tone.BUSY, hint
        if self.state is SessionState.LIVE:
            return tr("In conversation"), Tone.GOOD, hint
        if self.state is SessionState.CLOSING:
            return tr("Ending"), Tone.BUSY, hint
        if self.state is SessionState.WAITING:
            return tr("Trying again soon"), Tone.WARNING, hint
        if self.wifi is not None and self.wifi.state == "joining":
            return tr("Joining Wi-Fi"), Tone.BUSY, hint
        if self.wifi is not None and self.wifi.state in ("off", "waiting"):
            return tr("No Wi-Fi"), Tone.WARNING, hint
        return tr("Ready"), Tone.GOOD, hint

    def _hint(self) -> str:
        told = [self.title] if self.port else []
        if self.boot is not None:
            told.append(
                tr(
                    "Firmware {version} on {board}",
                    version=self.boot.version,
                    board=self.boot.board,
                )
            )
        if self.wifi is not None:
            told.append(sentence(self.wifi))
        if self.session is not None:
            told.append(sentence(self.session))
        return "\n".join(told)

    def next_thing(self) -> tuple[str, str] | None:
        """What the empty page says once a board is there; None: no board yet."""
        if not self.linked:
            return None
        if self.blank:
            return (
                tr("This board has no firmware yet"),
                tr("Press Install: it takes less than a minute."),
            )
        if self.state in _ON_THE_WAY or self.live:
            return tr("Connecting"), tr("The board calls the service.")
        return (
            tr("The board is ready"),
            tr("Press Start and speak to it. What you both say appears here."),
        )
