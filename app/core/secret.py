"""A secret has its own type, so that it cannot slip into a log or onto a screen by accident."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """A text nobody may see. It prints as dots, does not pickle, and only `reveal` opens it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: for the line to the board, the NVS image and the keyring only."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("Secret", self._text))

    def __repr__(self) -> str:
        return "Secret(•••)"

    def __str__(self) -> str:
        return "•••"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")
