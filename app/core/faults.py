"""What can go wrong that the user can repair, in the user's words."""

from __future__ import annotations


class Fault(Exception):  # noqa: N818  a fault is what happened, not a programming error
    """Something the user can repair: what happened, what to do, and the detail for an engineer.

    `what` and `remedy` are sentences for a person; `detail` may quote the library or the service,
    never a secret. Raised in `core` and at the edge of `adapters` only.
    """

    def __init__(self, what: str, remedy: str, detail: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class BundleDamaged(Fault):
    """The firmware file is not what was packed."""


class PortBusy(Fault):
    """Another program holds the port."""


class PortGone(Fault):
    """The board is not there, or vanished."""


class NoAnswer(Fault):
    """The board is there and does not answer."""


class WrongBoard(Fault):
    """This firmware is not for this board."""


class BadSetting(Fault):
    """A setting cannot be stored as given."""
