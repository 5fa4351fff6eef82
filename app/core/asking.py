"""When the service is asked for a response (parley_core, talk.c).

One response is active at a time, and only response.done ends it; asking earlier is an error of the
service. So wishes are gathered: any number of outputs and texts make one response.create. Speech is
answered by the service itself, and its answer takes along what was wished for meanwhile.
"""

from __future__ import annotations

from typing import Any, Protocol

CREATE_ANSWER_S = 10.0
"""No response.created for so long: the create is lost."""
CREATE_LATEST_S = 30.0
"""No response.done for so long: it is lost."""
SPEECH_ANSWER_S = 3.0
"""The service answers speech within this, or not at all."""


class Send(Protocol):
    """Sends one client event and returns its id."""

    def __call__(self, kind: str, **fields: Any) -> str: ...


class Asking:
    """The response under way and the wish for the next one. `at` is monotonic seconds."""

    def __init__(self, send: Send) -> None:
        self.response = ""
        """Id of the last response."""
        self.active = False
        self._send = send
        self._wanted = self._sent = self._cancel_wanted = False
        self._create_id = ""
        self._due = self._hold = 0.0

    @property
    def busy(self) -> bool:
        return self.active or self._wanted or self._sent

    @property
    def answers(self) -> bool:
        """A response is under way or on its way."""
        return self.active or self._sent

    def due(self, *, speaking: bool) -> float | None:
        """When `tick` is wanted; None: no need."""
        if self._sent:
            return self._due
        if self._wanted and not speaking:
            return max(self._hold, self._due if self.active else 0.0)
        return None

    def want(self, at: float, *, speech_stopped_at: float | None) -> None:
        """A response is wished for, as soon as there may be one."""
        self._wanted = True
        if not self._sent:
            self._due = at + CREATE_LATEST_S
        if speech_stopped_at is not None and not self.active:
            self._hold = speech_stopped_at + SPEECH_ANSWER_S

    def speech_stopped(self, at: float) -> None:
        if self._wanted:
            self.want(at, speech_stopped_at=at)

    def tick(self, at: float, *, speaking: bool) -> None:
        late = at >= self._due
        if self._sent and late:
            self._sent = False
        free = not self._sent and (not self.active or late)
        if self._wanted and free and not speaking and at >= self._hold:
            self.create(at, "")

    def create(self, at: float, instructions: str) -> None:
        """Ask now; `instructions` for this response only."""
        self._wanted, self._sent = False, True
        self._due = at + CREATE_ANSWER_S
        asked: dict[str, Any] = {}
        if instructions:
            asked["response"] = {"instructions": instructions}
        self._create_id = self._send("response.create", **asked)

    def cancel(self) -> None:
        """Give up the response under way."""
        if self._sent:
            self._cancel_wanted = True  # before response.created a cancel does nothing
        elif self.active:
            self._send("response.cancel")

    # ---- what the service says

    def created(self, response: str, at: float) -> None:
        self.response, self.active, self._hold = response, True, 0.0
        if not self._sent:
            self._wanted = False  # the service's own answer knows all that was wished for
        self._sent = False
        self._due = at + CREATE_LATEST_S
        if self._cancel_wanted:
            self._cancel_wanted = False
            self._send("response.cancel", response_id=response)

    def done(self, response: str, *, by_speech: bool) -> None:
        if response == self.response:
            self.active = False
        if by_speech:
            self._wanted = False  # the user speaks, and that is answered by itself

    def refused(self, event_id: str, *, conflict: bool) -> bool:
        """An error came; whether our create has to be wished for again."""
        is_ours = event_id == self._create_id if event_id else conflict
        if not self._sent or not is_ours:
            return False
        self._sent = self._cancel_wanted = False
        if conflict:
            self.active = True
        return conflict
