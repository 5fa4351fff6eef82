"""What a command line can offer: the wire's commands, the schema's keys, and what `help` told.

A stock board's `help` (ESP-IDF's console) and our own both begin a line with a command's name; in
the moments after `help` was sent, such lines are learnt from. Bounded, whatever the board prints.
"""

from __future__ import annotations

import re

from app.core.schema import SCHEMA

COMMANDS = (
    *("start", "stop", "i", "wifi", "wifi -s", "text", "vol", "mute 0", "mute 1", "scan", "cfg"),
    *("set", "token", "answer", "sound", "hello", "reboot", "help"),
)
"""firmware/components/parley_core/README.md, "Commands"."""
MOST_LEARNT = 100
LEARN_FOR_S = 2.0
_LISTED = re.compile(
    r"(?:\x1b\[[0-9;]*m|esp> )*(?:[EWIDV] \([0-9:. ]{1,24}\) [^:]{1,64}: )?"
    r"([a-z][a-z0-9_]{0,20})(?:$|[ :])"
)
_PARLEY = frozenset(command.split()[0] for command in COMMANDS)


class Completion:
    """The commands of one board."""

    def __init__(self) -> None:
        keys = (f"set {setting.key} " for setting in SCHEMA if not setting.secret)
        self._known = [*COMMANDS, *keys]
        self._learnt: list[str] = []
        self._until = float("-inf")

    @property
    def commands(self) -> tuple[str, ...]:
        """All that can be offered, each once, sorted."""
        return tuple(sorted({*self._known, *self._learnt}))

    def sent(self, line: str, at: float) -> None:
        """A command went out."""
        if line.strip() == "help":
            self._until = at + LEARN_FOR_S

    def heard(self, text: str, at: float) -> bool:
        """The board printed a line; whether a new command was learnt from it."""
        if at > self._until or len(self._learnt) >= MOST_LEARNT:
            return False
        found = _LISTED.match(text)
        if found is None or found[1] in _PARLEY or found[1] in self._learnt:
            return False
        self._learnt.append(found[1])
        return True
