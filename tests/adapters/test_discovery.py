"""Ports by name of the thing on the desk, told on change only."""

from __future__ import annotations

import asyncio

import pytest
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from app.adapters.discovery import ports_now, title_of, watch
from app.core.events import Event, Port, PortsAre


def port(device: str, vid: int | None = None, pid: int | None = None, serial: str = "") -> object:
    info = ListPortInfo(device)
    info.vid, info.pid, info.serial_number = vid, pid, serial or None
    info.description = "Thing of somebody"
    return info


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    ports: list[object] = []
    monkeypatch.setattr(list_ports, "comports", lambda: list(ports))
    return ports


def test_known_boards_have_names_of_things() -> None:
    assert "AtomS3R" in title_of(0x303A, 0x1001)
    assert "Korvo-2" in title_of(0x10C4, 0xEA60)
    assert "CH34x" in title_of(0x1A86, 0x55D3)
    assert "CH34x" in title_of(0x1A86, 0x7523)
    assert title_of(0x303A, 0x4001) == "Espressif board"
    assert title_of(0x1234, 0x5678, "Odd cable") == "Odd cable"
    assert title_of(0x1234, 0x5678)


def test_only_usb_ports_and_likely_boards_first(plugged: list[object]) -> None:
    plugged += [
        port("/dev/ttyS0"),
        port("/dev/ttyUSB7", 0x1234, 0x5678),
        port("/dev/ttyACM1", 0x303A, 0x4001),
        port("/dev/ttyUSB0", 0x10C4, 0xEA60, "0001"),
        port("/dev/ttyACM0", 0x303A, 0x1001, "F4:12:FA:01:02:03"),
    ]
    ports = ports_now()
    assert [found.name for found in ports] == [
        "/dev/ttyACM0",
        "/dev/ttyUSB0",
        "/dev/ttyACM1",
        "/dev/ttyUSB7",
    ]
    assert ports[0].serial_number == "F4:12:FA:01:02:03"
    assert ports[1] == Port(
        "/dev/ttyUSB0", "CP2102N bridge (Korvo-2 or similar), ttyUSB0", "0001", 0x10C4, 0xEA60
    )


def test_this_machines_real_ports_can_be_listed() -> None:
    assert all(found.vid is not None for found in ports_now())


async def test_changes_are_told_once(plugged: list[object]) -> None:
    told: asyncio.Queue[Event] = asyncio.Queue()
    virtual = Port("sim://demo", "Virtual board")
    watching = asyncio.create_task(watch(told.put_nowait, 0.01, (virtual,)))

    async def names() -> list[str]:
        event = await asyncio.wait_for(told.get(), 2.0)
        assert isinstance(event, PortsAre)
        return [found.name for found in event.ports]

    assert await names() == ["sim://demo"]
    plugged.append(port("/dev/ttyACM0", 0x303A, 0x1001))
    assert await names() == ["sim://demo", "/dev/ttyACM0"]
    plugged.clear()
    assert await names() == ["sim://demo"]
    await asyncio.sleep(0.05)
    assert told.empty()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
