"""Colours in the board's output: ECMA-48 "select graphic rendition" codes as runs of text.

Only what ESP-IDF and people's own `printf` use: eight colours, bright or not, and bold. Every other
escape sequence is left out of the text; cursor movements make no sense in a list of lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = re.compile(r"\x1b(?:\[([0-?]*)[ -/]*([@-~])|[@-Z\\-_])")
# Everything below a blank but the tab, which is widened, and the C1 controls.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_TAB = 4
LONGEST = 2000
"""Characters painted of one line; what is beyond no window shows."""


@dataclass(frozen=True, slots=True)
class Span:
    """A run of text in one of the eight colours, None: the console's own."""

    text: str
    colour: int | None = None
    bold: bool = False


def spans(line: str) -> tuple[Span, ...]:
    """A line as runs of equal form, without control characters."""
    runs: list[Span] = []
    colour: int | None = None
    bold = False
    at = 0
    line = line[: LONGEST * 2]
    for escape in _ESCAPE.finditer(line):
        _add(runs, line[at : escape.start()], colour, bold)
        at = escape.end()
        if escape.group(2) == "m":
            for code in (escape.group(1) or "0").split(";"):
                colour, bold = _after(code, colour, bold)
    _add(runs, line[at:], colour, bold)
    return tuple(runs)


def plain(line: str) -> str:
    """What `spans` shows, as one text."""
    return "".join(span.text for span in spans(line))


def _add(runs: list[Span], text: str, colour: int | None, bold: bool) -> None:
    text = _CONTROL.sub("·", text).replace("\t", " " * _TAB)
    if text:
        runs.append(Span(text, colour, bold))


def _after(code: str, colour: int | None, bold: bool) -> tuple[int | None, bool]:
    number = int(code) if code.isdecimal() and len(code) < 4 else 0
    if number == 0:
        return None, False
    if number == 1:
        return colour, True
    if number == 22:
        return colour, False
    if number == 39:
        return None, bold
    if 30 <= number <= 37 or 90 <= number <= 97:
        return number % 10, bold
    return colour, bold
