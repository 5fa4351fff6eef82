"""What the window remembers between runs: sizes only, as bytes Qt made, under short names."""

from __future__ import annotations

from typing import Protocol


class Store(Protocol):
    """Where the window keeps its sizes between runs."""

    def read(self, key: str) -> bytes | None: ...

    def write(self, key: str, value: bytes) -> None: ...


class Forgetful:
    """A store that keeps nothing."""

    def read(self, key: str) -> bytes | None:
        return None

    def write(self, key: str, value: bytes) -> None:
        return None
