"""A port over RFC 2217 that asks the other end only for what has changed.

pyserial's own asks for rate and frame again whenever anything is set, the local timeout included,
and sleeps 0.1 s for the answers; esptool sets the timeout twice a block.
"""

from __future__ import annotations

from serial import rfc2217


class RemotePort(rfc2217.Serial):
    """pyserial's client, without the waiting."""

    _agreed: tuple[object, ...] | None = None

    def open(self) -> None:
        self._agreed = None
        super().open()

    def _reconfigure_port(self) -> None:
        wanted = (
            *(self.baudrate, self.bytesize, self.parity, self.stopbits),
            *(self.xonxoff, self.rtscts, self.dsrdtr, self.write_timeout),
        )
        if wanted != self._agreed:
            super()._reconfigure_port()  # type: ignore[misc]  # the stubs leave it out
            self._agreed = wanted
