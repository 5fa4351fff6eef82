"""The NVS image: read back by the virtual board's own reader, checked, silent, off the disk."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from esp_idf_nvs_partition_gen import nvs_partition_gen as generator
from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters.nvs_image import nvs_image
from app.core.secret import Secret
from app.core.settings import Settings, nvs_rows
from app.sim.nvs import NvsStore, read_entries
from app.sim.spi_flash import SpiFlash

SIZE = 0x6000
RANGES = {"u8": (0, 255), "i8": (-128, 127), "u16": (0, 65535), "u32": (0, 2**32 - 1)}


def stored(image: bytes) -> NvsStore:
    flash = SpiFlash(bytearray(image.ljust(1 << 20, b"\xff")))
    return NvsStore(flash, 0, len(image), "parley")


def test_all_settings_come_back_as_the_board_reads_them() -> None:
    ours = Settings(
        {
            "wifi_ssid": "Café ☕",
            "wifi_psw": Secret("pässword"),
            "api_key": Secret("sk-" + "a" * 161),
            "instr": "Line one.\nLine two: “quoted”. " + "x" * 1900,
            "mic_gain": 12,
        }
    )
    rows = nvs_rows(ours)
    image = nvs_image(rows, SIZE)
    assert len(image) == SIZE
    store = stored(image)
    for key, encoding, value in rows:
        plain = value.reveal() if isinstance(value, Secret) else value
        assert store.get(key, encoding) == plain, key


def test_one_page_stays_empty_and_every_entry_is_whole() -> None:
    image = nvs_image([(f"key{number}", "u32", number) for number in range(300)], SIZE)
    states = [struct.unpack_from("<I", image, at)[0] for at in range(0, SIZE, 4096)]
    assert states[:3] == [0xFFFFFFFC, 0xFFFFFFFC, 0xFFFFFFFE]
    assert set(states[3:]) == {0xFFFFFFFF}
    assert image[-4096:] == b"\xff" * 4096
    assert len(list(read_entries(image))) == 301


@st.composite
def rows(draw: st.DrawFn) -> list[tuple[str, str, int | str]]:
    keys = draw(st.lists(st.from_regex(r"[a-z_]{1,15}", fullmatch=True), unique=True, max_size=12))
    made: list[tuple[str, str, int | str]] = []
    for key in keys:
        encoding = draw(st.sampled_from(["string", *RANGES]))
        if encoding == "string":
            text = st.text(
                st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300
            )
            made.append((key, encoding, draw(text)))
        else:
            made.append((key, encoding, draw(st.integers(*RANGES[encoding]))))
    return made


@given(rows())
@settings(max_examples=60, deadline=None)
def test_whatever_goes_in_comes_out(given_rows: list[tuple[str, str, int | str]]) -> None:
    store = stored(nvs_image(given_rows, SIZE))
    for key, encoding, value in given_rows:
        assert store.get(key, encoding) == value


@pytest.mark.parametrize(
    "row",
    [
        ("a" * 16, "u8", 1),
        ("", "u8", 1),
        ("größe", "u8", 1),
        ("sta.ssid", "string", "x"),
        ("key", "blob", "x"),
        ("key", "u8", 256),
        ("key", "u8", -1),
        ("key", "i8", 128),
        ("key", "u16", "many"),
        ("key", "string", "a\0b"),
        ("key", "string", "marked" * 1000),
    ],
)
def test_what_nvs_cannot_hold_is_refused(row: tuple[str, str, int | str]) -> None:
    with pytest.raises(ValueError, match=r"key|sta\.ssid|größe|a{16}|''") as caught:
        nvs_image([row], SIZE)
    assert "marked" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 0x1000, 0x2000, 0x3001, -0x3000])
def test_sizes_that_no_board_could_use_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="bytes"):
        nvs_image([], size)


def test_too_much_and_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        nvs_image([(f"key{number}", "string", "x" * 3900) for number in range(3)], 0x3000)
    with pytest.raises(ValueError, match="twice"):
        nvs_image([("key", "u8", 1), ("key", "u8", 2)], SIZE)


@contextmanager
def watching_files() -> Iterator[list[str]]:
    """Files that anything in this process opens meanwhile."""
    names: list[str] = []
    watching = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if watching and event == "open":
            names.append(str(args[0]))

    sys.addaudithook(hook)  # cannot be taken away again, so it has a switch
    yield names
    watching = False


def test_it_prints_nothing_opens_nothing_and_wipes_what_it_can(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    real = generator.nvs_open

    def remember(*args: Any) -> Any:
        made.append(real(*args))
        return made[-1]

    monkeypatch.setattr(generator, "nvs_open", remember)
    with watching_files() as opened:
        image = nvs_image([("api_key", "string", Secret("sk-marked-key"))], SIZE)
    assert b"sk-marked-key" in image
    assert opened == []
    assert not any(any(page.page_buf) for page in made[0].pages)
    assert b"marked" not in made[0].fout.getvalue()
    assert capfd.readouterr() == ("", "")
