"""The `cfg` partition as an NVS image, made in memory: it holds secrets, so it touches no disk.

Written by Espressif's own generator, which checks neither key lengths nor names and prints a
value that does not fit; so rows are checked here before it sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO

from app.core.secret import Secret

NAMESPACE = "parley"
PAGE_BYTES = 4096
KEY_MOST_BYTES = 15
TEXT_MOST_BYTES = 3999
"""4,000 with the final NUL (ESP-IDF, NVS)."""

_RANGES = {
    "u8": (0, 2**8 - 1),
    "i8": (-(2**7), 2**7 - 1),
    "u16": (0, 2**16 - 1),
    "i16": (-(2**15), 2**15 - 1),
    "u32": (0, 2**32 - 1),
    "i32": (-(2**31), 2**31 - 1),
}
# The generator adds entries of the Wi-Fi driver when it meets these names.
_FORBIDDEN = frozenset({"ap.ssid", "ap.passwd", "ap.authmode", "sta.ssid", "sta.pswd"})


def nvs_image(rows: Iterable[tuple[str, str, int | str | Secret]], size: int) -> bytes:
    """An image of exactly `size` bytes, namespace `parley`, from (key, encoding, value).

    Encodings are string, u8, i8, u16, i16, u32 and i32. The copies made on the way are wiped; the
    image itself is the caller's to drop. Raises ValueError for a row or size that NVS cannot hold;
    the text names the key, never the value.
    """
    # 0.2 s to import, and only who installs needs it.
    from esp_idf_nvs_partition_gen import nvs_partition_gen as generator

    if size % PAGE_BYTES or size < 3 * PAGE_BYTES:
        raise ValueError(f"an NVS partition cannot have {size} bytes")
    checked = [_checked(*row) for row in rows]
    keys = [key for key, _, _ in checked]
    if len(set(keys)) != len(keys):
        raise ValueError("a key comes twice")
    into = BytesIO()
    # The generator adds the page that NVS keeps free to the size it is given.
    pages = generator.nvs_open(into, size - PAGE_BYTES, generator.Page.VERSION2)
    try:
        generator.write_entry(pages, NAMESPACE, "namespace", "", "")
        for key, encoding, value in checked:
            generator.write_entry(pages, key, "data", encoding, value)
        generator.nvs_close(pages)
        with into.getbuffer() as whole:
            image = bytes(whole)
            whole[:] = bytes(len(whole))
    except generator.InsufficientSizeError:
        raise ValueError(f"the settings do not fit into {size} bytes") from None
    finally:
        for page in pages.pages:
            page.page_buf[:] = bytes(len(page.page_buf))
    if len(image) != size:
        raise AssertionError(f"the generator made {len(image)} bytes of {size}")
    return image


def _checked(key: str, encoding: str, given: int | str | Secret) -> tuple[str, str, str]:
    value = given.reveal() if isinstance(given, Secret) else str(given)
    if not key or not key.isascii() or len(key) > KEY_MOST_BYTES or key in _FORBIDDEN:
        raise ValueError(f"{key!r} cannot be an NVS key")
    if encoding == "string":
        if len(value.encode()) > TEXT_MOST_BYTES or "\0" in value:
            raise ValueError(f"the text of {key} cannot be stored")
        return key, encoding, value
    if encoding not in _RANGES:
        raise ValueError(f"{key} has the encoding {encoding!r}")
    low, high = _RANGES[encoding]
    try:
        number = int(value)
    except ValueError:
        raise ValueError(f"the value of {key} is no number") from None
    if not low <= number <= high:
        raise ValueError(f"the value of {key} does not fit {encoding}")
    return key, encoding, str(number)
