"""Typed settings of a board: checked by the schema, secrets wrapped, ready for NVS or a file.

`app.core.schema` says which keys there are. Rules that a range cannot say live here: what a Wi-Fi
password is, that plain http stays at home. No message quotes a value of a secret key.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from typing import NoReturn

from app.core.faults import BadSetting
from app.core.language import tr
from app.core.own_tools import ToolsError, check_together, names_in
from app.core.schema import BY_KEY, SCHEMA, SCHEMA_VERSION, TOOL_KEYS, Kind, Setting
from app.core.secret import Secret

Value = int | str | Secret

_MANY_LINES = ("instr", "greeting", *TOOL_KEYS)
# The board's own rule (parley_core, signalling.c): what passes here must pass there.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/?#@\[\]]+)"
    r"(:[0-9]{1,5})?(/[^\s?#@]*)?"
)
# RFC 1918, 3927: addresses that no router passes on to the outside.
_AT_HOME = tuple(
    ipaddress.IPv4Network(net)
    for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16")
)


def title(key: str) -> str:
    """What the user calls the setting `key`."""
    titles = {
        "board": tr("board"),
        "dev_name": tr("name of the board"),
        "wifi_ssid": tr("Wi-Fi name"),
        "wifi_psw": tr("Wi-Fi password"),
        "api_key": tr("API key"),
        "token_mode": tr("place of the key"),
        "base_url": tr("service address"),
        "model": tr("model"),
        "voice": tr("voice"),
        "lang": tr("language"),
        "stt_model": tr("transcription model"),
        "instr": tr("instructions"),
        "greeting": tr("greeting"),
        "volume": tr("volume"),
        "aec": tr("echo cancelling"),
        "mic_gain": tr("microphone gain"),
        "auto_start": tr("automatic start"),
        **dict.fromkeys(TOOL_KEYS, tr("own tools")),
    }
    return titles.get(key, key)


# ---- one value


def check(key: str, value: object) -> int | str:
    """`value` as the board stores it: a number for number keys (digits are read), else a text.

    A Secret is opened for the check; callers wrap it again. Raises BadSetting in the user's words.
    """
    setting = BY_KEY.get(key)
    if setting is None:
        raise BadSetting(
            tr("There is no setting named {key}.", key=key),
            tr("Check its spelling."),
            f"known: {', '.join(BY_KEY)}",
        )
    plain = value.reveal() if isinstance(value, Secret) else value
    return _number(setting, plain) if setting.kind is not Kind.TEXT else _text(setting, plain)


def _number(setting: Setting, value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,10}\s*", value):
        value = int(value)
    if not isinstance(value, int) or not setting.low <= value <= setting.high:
        _refuse(
            setting,
            tr("is not a number it can have"),
            tr("Give a number from {low} to {high}.", low=setting.low, high=setting.high),
        )
    return int(value)


def _text(setting: Setting, value: object) -> str:
    if not isinstance(value, str):
        _refuse(setting, tr("is not a text"), tr("Give a text."))
    allowed = "\n\t" if setting.key in _MANY_LINES else ""
    if any((char < " " or "\x7f" <= char <= "\x9f") and char not in allowed for char in value):
        _refuse(
            setting, tr("has a character that cannot be stored"), tr("Type it without line breaks.")
        )
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        _refuse(setting, tr("has a character that cannot be stored"), tr("Type it again."))
    if length > setting.high:
        _refuse(
            setting,
            tr("is too long"),
            tr("Use at most {high} letters; accents count double.", high=setting.high),
        )
    if length < setting.low:
        _refuse(setting, tr("is empty"), tr("Fill it in."))
    if setting.choices and value not in setting.choices:
        known = ", ".join(choice for choice in setting.choices if choice)
        _refuse(setting, tr("is not one we know"), tr("Choose one of {known}.", known=known))
    match setting.key:
        case "wifi_psw":
            _check_password(setting, value, length)
        case "api_key":
            _check_key(setting, value)
        case "base_url":
            _check_url(setting, value)
        case key if key in TOOL_KEYS:
            _check_tools(setting, value)
    return value


def _check_password(setting: Setting, value: str, length: int) -> None:
    is_raw_key = re.fullmatch(r"[0-9A-Fa-f]{64}", value) is not None
    if value and not 8 <= length <= 63 and not is_raw_key:
        _refuse(
            setting,
            tr("is too short") if length < 8 else tr("is too long"),
            tr("It has 8 to 63 letters; leave it empty for an open network."),
        )


def _check_key(setting: Setting, value: str) -> None:
    if not all("!" <= char <= "~" for char in value):
        _refuse(setting, tr("has a space or an odd letter in it"), tr("Copy it again, whole."))


def _check_url(setting: Setting, value: str) -> None:
    url = _URL.fullmatch(value) if value.isascii() else None
    if url is None:
        _refuse(setting, tr("is not a web address"), tr("It looks like https://api.openai.com/v1."))
    if url["scheme"] == "http" and not is_at_home(url["host"]):
        _refuse(
            setting,
            tr("would send the key in the open"),
            tr("Use https; http is for your own network only."),
        )


def _check_tools(setting: Setting, value: str) -> None:
    try:
        names_in(value)
    except ToolsError as why:
        raise _bad_tools(f"{setting.key}: {why}") from None


def _bad_tools(detail: str) -> BadSetting:
    return BadSetting(
        tr("The own tools cannot be used as they are written."),
        tr("Write them as a JSON list of function definitions, each name once."),
        detail,
    )


def is_at_home(host: str) -> bool:
    """Whether `host` is this computer or in the private network: what http may be used for.

    Numbers and `localhost` only, as the board has it: a name could lead anywhere.
    """
    try:
        return any(ipaddress.IPv4Address(host) in network for network in _AT_HOME)
    except ValueError:
        return host in ("localhost", "[::1]")


def _refuse(setting: Setting, what: str, remedy: str) -> NoReturn:
    name = title(setting.key)
    raise BadSetting(
        tr("The {name} {what}.", name=name, what=what),
        remedy,
        f"{setting.key}: {setting.kind}, {setting.low} to {setting.high}",
    )


# ---- a set of values


class Settings(Mapping[str, Value]):
    """All settings of one board, every key present, every value fit; cannot be changed."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        """Defaults, and `values` over them. Raises BadSetting."""
        merged: dict[str, object] = {setting.key: setting.default for setting in SCHEMA}
        merged.update(values or {})
        self._values: dict[str, Value] = {
            key: _wrapped(key, check(key, value)) for key, value in merged.items()
        }
        try:
            check_together({key: self.text(key) for key in TOOL_KEYS})
        except ToolsError as why:
            raise _bad_tools(str(why)) from None

    def __getitem__(self, key: str) -> Value:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(tuple(self._values.items()))

    def __repr__(self) -> str:
        return f"Settings({self._values!r})"  # secrets print as dots

    def number(self, key: str) -> int:
        value = self._values[key]
        assert isinstance(value, int), key
        return value

    def text(self, key: str) -> str:
        value = self._values[key]
        assert isinstance(value, str), key
        return value

    def secret(self, key: str) -> Secret:
        value = self._values[key]
        assert isinstance(value, Secret), key
        return value

    def with_values(self, values: Mapping[str, object]) -> Settings:
        """These settings with some changed. Raises BadSetting."""
        return Settings({**self._values, **values})

    def differences(self, other: Mapping[str, Value]) -> dict[str, tuple[Value, Value | None]]:
        """Keys whose value is another one in `other`: (here, there); None: missing there."""
        return {
            key: (value, other.get(key))
            for key, value in self._values.items()
            if other.get(key) != value
        }


def _wrapped(key: str, value: int | str) -> Value:
    return Secret(str(value)) if BY_KEY[key].secret else value


def nvs_rows(settings: Settings) -> list[tuple[str, str, Value]]:
    """Key, NVS encoding and value of every setting, in the schema's order, for the NVS image."""
    return [(setting.key, str(setting.kind), settings[setting.key]) for setting in SCHEMA]


# ---- as a file


def to_file(settings: Settings) -> str:
    """JSON text with every setting but the secrets."""
    open_values = {key: value for key, value in settings.items() if not isinstance(value, Secret)}
    return json.dumps(open_values, indent=2, ensure_ascii=False) + "\n"


def from_file(text: str) -> Settings:
    """Settings of a file's text; keys that are missing get defaults. Raises BadSetting."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as why:
        raise _no_settings(f"{type(why).__name__}") from None
    if not isinstance(values, dict):
        raise _no_settings("not an object")
    schema = values.get("schema", SCHEMA_VERSION)
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise BadSetting(
            tr("The settings file was made by a newer Parley."),
            tr("Get the newest Parley, then try once more."),
            f"schema {schema}, known: {SCHEMA_VERSION}",
        )
    for key in values:
        if key in BY_KEY and BY_KEY[key].secret:
            raise BadSetting(
                tr(
                    "The settings file holds the {name}, where anyone can read it.", name=title(key)
                ),
                tr("Take {key} out of the file and give it in Parley.", key=key),
            )
    return Settings(values)


def _no_settings(detail: str) -> BadSetting:
    return BadSetting(
        tr("This is not a settings file."), tr("Choose a file that Parley wrote."), detail
    )
