"""Which boards are plugged in: the serial ports of the USB, named for the thing on the desk."""

from __future__ import annotations

import asyncio

from serial.tools import list_ports

from app.adapters.threads import in_thread
from app.core.events import Port, PortsAre, Tell
from app.core.language import tr

ESPRESSIF = 0x303A
_OWN_USB = (ESPRESSIF, 0x1001)
_CP210X = (0x10C4, 0xEA60)
_CH34X = frozenset({(0x1A86, pid) for pid in (0x7523, 0x5523, 0x55D3, 0x55D4)})
_FTDI, _PROLIFIC = 0x0403, 0x067B


def title_of(vid: int | None, pid: int | None, description: str = "") -> str:
    """What a person would call the thing with these USB ids; not yet told apart by port."""
    match (vid, pid):
        case ids if ids == _OWN_USB:
            return tr("USB of the ESP32-S3 (AtomS3R or similar)")
        case ids if ids == _CP210X:
            return tr("CP2102N bridge (Korvo-2 or similar)")
        case ids if ids in _CH34X:
            return tr("CH34x bridge")
        case (0x303A, _):
            return tr("Espressif board")
        case (0x0403, _):
            return tr("FTDI bridge")
        case (0x067B, _):
            return tr("Prolific bridge")
        case _:
            return description or tr("Serial port")


def _rank(port: Port) -> tuple[bool, bool, str]:
    ids = (port.vid, port.pid)
    return (ids not in (_OWN_USB, _CP210X), port.vid != ESPRESSIF, port.name)


def ports_now() -> tuple[Port, ...]:
    """The USB serial ports present, likely boards first. Blocks some milliseconds."""
    found = [
        Port(
            name=port.device,
            title=f"{title_of(port.vid, port.pid, port.description or '')}, {port.name}",
            serial_number=port.serial_number or "",
            vid=port.vid,
            pid=port.pid,
        )
        for port in list_ports.comports()
        # A PC's own serial ports and macOS' Bluetooth have no USB id, and no board on them.
        if port.vid is not None
    ]
    return tuple(sorted(found, key=_rank))


def serial_number_of(name: str) -> str:
    """The USB serial number of the device at `name`; empty when it has none. Blocks a little."""
    return next((port.serial_number for port in ports_now() if port.name == name), "")


def name_of(serial_number: str, name: str) -> str:
    """Where the device of `name` is now: a board that left the bus may return as another port."""
    names = [port.name for port in ports_now() if port.serial_number == serial_number]
    return name if name in names or not serial_number or not names else names[0]


async def watch(tell: Tell, every_s: float = 0.5, extra: tuple[Port, ...] = ()) -> None:
    """Tell the ports present, and again after each change, until cancelled. `extra` come first."""
    known: tuple[Port, ...] | None = None
    while True:
        now = extra + await in_thread(ports_now, name="ports")
        if now != known:
            known = now
            tell(PortsAre(now))
        await asyncio.sleep(every_s)
