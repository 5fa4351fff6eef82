"""Secrets in the password store of the operating system, or in memory when there is none.

A store may show a prompt and wait for the user, so every call runs in a thread. The store is chosen
by platform, not through keyring's plug-ins: those are invisible in a frozen build, and one of them
writes plain files.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from app.adapters.threads import in_thread
from app.core.faults import Fault
from app.core.language import tr
from app.core.secret import Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "Parley"


class Vault:
    """Secrets by name. What the store does not take is kept until the program ends."""

    def __init__(self, service: str = SERVICE) -> None:
        self._service = service
        self._session: dict[str, Secret] = {}

    async def get(self, name: str) -> Secret | None:
        """The secret of this name, or None. Raises Fault when the store is locked."""
        if name in self._session:
            return self._session[name]
        return await in_thread(lambda: self._get(name), name="vault")

    async def put(self, name: str, secret: Secret) -> None:
        """Keep it. Raises Fault when it is kept in memory only; `get` finds it there."""
        self._session[name] = secret
        await in_thread(lambda: self._put(name, secret), name="vault")
        del self._session[name]

    async def delete(self, name: str) -> None:
        """Forget it, also when it is not there. Raises Fault when the store is locked."""
        self._session.pop(name, None)
        await in_thread(lambda: self._delete(name), name="vault")

    # ---- in the thread

    def _get(self, name: str) -> Secret | None:
        store = _store()
        if store is None:
            return None
        try:
            text = store.get_password(self._service, name)
        except _refusals() as error:
            raise _locked(error) from None
        return None if text is None else Secret(text)

    def _put(self, name: str, secret: Secret) -> None:
        store = _store()
        if store is None:
            raise Fault(
                tr("There is no password store here, so Parley forgets this when it is closed."),
                tr("To keep it, install a password store such as gnome-keyring."),
            )
        try:
            store.set_password(self._service, name, secret.reveal())
        except _refusals() as error:
            raise Fault(
                tr("The password store did not open, so Parley forgets this when it is closed."),
                tr("To keep it, unlock the password store and save again."),
                type(error).__name__,
            ) from None

    def _delete(self, name: str) -> None:
        from keyring.errors import PasswordDeleteError

        store = _store()
        if store is None:
            return
        try:
            store.delete_password(self._service, name)
        except PasswordDeleteError:
            return  # there was none
        except _refusals() as error:
            raise _locked(error) from None


def _locked(error: Exception) -> Fault:
    # Not chained and not quoted: a store's own text is not known to be free of secrets.
    return Fault(
        tr("The password store did not open."),
        tr("Unlock it, then try again."),
        type(error).__name__,
    )


def _store() -> KeyringBackend | None:
    """The best store that works here and now, or None. Asks over D-Bus on Linux."""
    best: tuple[float, KeyringBackend] | None = None
    for kind in _kinds():
        try:
            priority = float(kind.priority)
        except RuntimeError:  # keyring's way to say: not on this computer
            continue
        if best is None or priority > best[0]:
            best = (priority, kind())
    return None if best is None else best[1]


def _kinds() -> list[type[KeyringBackend]]:
    if sys.platform == "win32":
        from keyring.backends import Windows

        return [Windows.WinVaultKeyring]
    if sys.platform == "darwin":
        from keyring.backends import macOS

        return [macOS.Keyring]
    from keyring.backends import SecretService, kwallet

    return [SecretService.Keyring, kwallet.DBusKeyring, kwallet.DBusKeyringKWallet4]


def _refusals() -> tuple[type[Exception], ...]:
    from keyring.errors import KeyringError

    if sys.platform in ("win32", "darwin"):
        return (KeyringError, OSError)
    from jeepney import DBusErrorResponse  # type: ignore[import-untyped]
    from secretstorage.exceptions import SecretStorageException

    return (KeyringError, SecretStorageException, DBusErrorResponse, OSError)
