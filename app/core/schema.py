"""The `cfg` schema: every setting a board keeps, written once.

The app checks and writes settings by this table, the firmware reads them by the C table that
`firmware/tools/generate_schema.py` makes of it, and the tests compare the two. Keys are NVS keys,
at most 15 characters (ESP-IDF, NVS); text lengths are bytes of UTF-8 without the final NUL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """NVS types in use."""

    U8 = "u8"
    I8 = "i8"
    U16 = "u16"
    U32 = "u32"
    TEXT = "string"


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: `low`..`high` bound a number's value or a text's length in bytes."""

    key: str
    kind: Kind
    low: int
    high: int
    default: int | str
    secret: bool = False
    choices: tuple[str, ...] = ()
    meaning: str = ""


SCHEMA_VERSION = 1
TOOL_KEYS = ("tools0", "tools1", "tools2", "tools3")
"""Own tools, as many texts as they need: app.core.own_tools has their form."""

SCHEMA: tuple[Setting, ...] = (
    Setting("schema", Kind.U16, 1, SCHEMA_VERSION, SCHEMA_VERSION, meaning="version of this table"),
    Setting("cfg_id", Kind.TEXT, 0, 36, "", meaning="id of this set of values, in the boot record"),
    Setting(
        "board",
        Kind.TEXT,
        0,
        15,
        "",
        choices=("", "korvo2", "atoms3r", "emulator"),
        meaning="board it was made for",
    ),
    Setting("dev_name", Kind.TEXT, 0, 32, "Parley", meaning="name on the network"),
    Setting("wifi_ssid", Kind.TEXT, 0, 32, "", meaning="Wi-Fi name"),
    Setting(
        "wifi_psw", Kind.TEXT, 0, 64, "", secret=True, meaning="Wi-Fi password; empty: open network"
    ),
    Setting("api_key", Kind.TEXT, 0, 256, "", secret=True, meaning="OpenAI API key"),
    Setting(
        "token_mode",
        Kind.U8,
        0,
        1,
        0,
        meaning="0: key on the board; 1: the computer gives short-lived secrets",
    ),
    Setting("base_url", Kind.TEXT, 0, 128, "https://api.openai.com/v1", meaning="Realtime service"),
    Setting("model", Kind.TEXT, 1, 64, "gpt-realtime-2.1", meaning="model"),
    Setting("voice", Kind.TEXT, 1, 64, "marin", meaning="voice of the assistant"),
    Setting(
        "lang", Kind.TEXT, 0, 8, "", meaning="ISO-639-1 language of the user's speech; empty: any"
    ),
    Setting(
        "stt_model",
        Kind.TEXT,
        0,
        64,
        "gpt-4o-mini-transcribe",
        meaning="transcription model; empty: no user text",
    ),
    Setting(
        "instr",
        Kind.TEXT,
        0,
        2000,
        "You are Parley, a friendly voice assistant on a small device. Answer briefly.",
        meaning="instructions for the assistant",
    ),
    Setting(
        "greeting",
        Kind.TEXT,
        0,
        200,
        "Greet the user in one short sentence.",
        meaning="what the assistant is told to say first; empty: it waits",
    ),
    Setting("volume", Kind.U8, 0, 100, 60, meaning="loudness, percent"),
    Setting(
        "aec",
        Kind.U8,
        0,
        2,
        1,
        meaning="echo: 0 nothing, 1 cancel, 2 mute the microphone while speaking",
    ),
    Setting("mic_gain", Kind.I8, 0, 42, 30, meaning="microphone gain, dB"),
    Setting(
        "auto_start", Kind.U8, 0, 1, 1, meaning="1: a session starts by itself once Wi-Fi is up"
    ),
    # NVS takes a text of 4,000 bytes only where a whole page is free; these fit between others.
    *(
        Setting(key, Kind.TEXT, 0, 1500, "", meaning="own tools: function definitions in JSON")
        for key in TOOL_KEYS
    ),
)

BY_KEY: dict[str, Setting] = {setting.key: setting for setting in SCHEMA}
