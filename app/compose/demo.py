"""The main job on the virtual board, from a bare chip to a conversation that was ended cleanly.

A step counts only when an event of the board, or a fact of the world it lives in, shows it
(core.journey). The same journey runs in the window, in the terminal and as a check.
"""

from __future__ import annotations

from app.compose.places import BoardKind
from app.compose.program import Program, install, read_virtual_bundle
from app.compose.world import now
from app.core.events import (
    AskLoad,
    CheckItem,
    CheckList,
    Event,
    Role,
    Start,
    Stop,
    Turn,
    TurnState,
    WifiIs,
)
from app.core.faults import Fault, NoAnswer
from app.core.journey import Expected, Journey, Step, title
from app.core.language import tr
from app.ui.terminal import TerminalView

WIFI_WITHIN_S = 10.0
TALK_WITHIN_S = 40.0
STOP_WITHIN_S = 10.0


class Demo:
    """One run of the journey with what was measured on the way."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._bundle = read_virtual_bundle()
        self._wifi_up = False
        self._answers_ended = 0
        self.install_s = 0.0
        self.journey: Journey | None = None

    async def run(self) -> bool:
        """Whether every step happened. Raises Fault where one could not."""
        world = self._program.world
        await self._program.board.close()
        await world.stop()  # the board of an earlier run is not blank, its person has spoken
        await world.start()
        settings = world.settings()
        self.journey = Journey(
            Expected(
                world.port.name, self._bundle.version, self._bundle.build, settings.text("cfg_id")
            )
        )
        with self._program.moments.heard_by(self._heard):
            self._show()
            await self._program.list_ports()
            await self._program.choose(world.port.name)
            await self._reached(Step.BLANK, within_s=5)
            since = now()
            await install(self._program.board, self._bundle, settings, self._program.moments.tell)
            self.install_s = now() - since
            await self._converse()
            await self._stop()
        return not self.journey.missing()

    async def _converse(self) -> None:
        moments, board, world = self._program.moments, self._program.board, self._program.world
        if not await moments.until(lambda: self._wifi_up, WIFI_WITHIN_S):
            raise NoAnswer(
                tr("The board did not get into the Wi-Fi."), tr("Check its name and password.")
            )
        assert self.journey is not None
        await board.send(AskLoad(every_s=1))
        started = now()
        self.journey.started(started)
        await board.send(Start())
        if await moments.until(lambda: world.heard_after_s(started) is not None, TALK_WITHIN_S):
            self._note_heard(started)
        talk = (Step.LIVE, Step.USER_WORDS, Step.TOOL, Step.LIGHT, Step.ASSISTANT_WORDS, Step.LOAD)
        await self._reached(*talk, within_s=TALK_WITHIN_S)
        # The greeting and the answer to the request: let the second one be heard to its end.
        await moments.until(lambda: self._answers_ended >= 2, TALK_WITHIN_S / 4)

    def _note_heard(self, started: float) -> None:
        assert self.journey is not None
        after_s = self._program.world.heard_after_s(started)
        assert after_s is not None
        evidence = tr("first sound after {ms} ms", ms=round(after_s * 1000))
        self.journey.note(Step.HEARD, evidence, at=started + after_s)
        self._show()

    async def _stop(self) -> None:
        await self._program.board.send(AskLoad(every_s=0))
        await self._program.board.send(Stop())
        await self._reached(Step.STOPPED, within_s=STOP_WITHIN_S)
        assert self.journey is not None
        world = self._program.world
        if await self._program.moments.until(lambda: not world.open_calls, STOP_WITHIN_S):
            self.journey.note(Step.CLOSED, tr("no call open at the service"))
            self._show()

    async def _reached(self, *steps: Step, within_s: float) -> None:
        journey = self.journey
        assert journey is not None
        await self._program.moments.until(
            lambda: all(journey.evidence(step) is not None for step in steps), within_s
        )

    def _heard(self, event: Event) -> None:
        match event:
            case WifiIs(state=state):
                self._wifi_up = state == "up"
            case Turn(role=Role.ASSISTANT, state=TurnState.ENDED):
                self._answers_ended += 1
        assert self.journey is not None
        if self.journey.apply(event):
            self._show()

    def _show(self) -> None:
        journey = self.journey
        assert journey is not None
        items = tuple(CheckItem(title(step), journey.evidence(step)) for step in Step)
        self._program.moments.tell(CheckList(now(), items))


async def in_terminal(*, as_json: bool, kind: BoardKind) -> bool:
    """The journey with a terminal to show it; whether every step happened."""
    with TerminalView(as_json=as_json) as view:
        program = Program(view.show, kind=kind)
        demo = Demo(program)
        try:
            done = await demo.run()
        except Fault as fault:
            view.fault(fault)
            done = False
        finally:
            await program.close()
    view.verdict(done, _verdict(demo, done))
    return done


def _verdict(demo: Demo, done: bool) -> str:
    journey = demo.journey
    if journey is None or not done:
        steps = list(Step) if journey is None else journey.missing()
        return tr("Did not happen: {steps}.", steps="; ".join(title(step) for step in steps))
    return tr(
        "All {count} steps happened. Installing took {install_s:.2f} s;"
        " from start to the first sound {ms} ms.",
        count=len(Step),
        install_s=demo.install_s,
        ms=journey.first_audio_ms,
    )
