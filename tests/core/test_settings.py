"""Settings: every bound of the schema, the rules beside it, secrets that stay inside."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.faults import BadSetting
from app.core.schema import BY_KEY, SCHEMA, Kind
from app.core.secret import Secret
from app.core.settings import Settings, check, from_file, is_at_home, nvs_rows, title, to_file

quick = settings(max_examples=40, deadline=None, database=None, derandomize=True)

NUMBERS = [setting for setting in SCHEMA if setting.kind is not Kind.TEXT]
TEXTS = [setting for setting in SCHEMA if setting.kind is Kind.TEXT]
FREE = ("dev_name", "wifi_ssid", "model", "voice", "lang", "stt_model", "instr", "greeting")


@pytest.mark.parametrize("setting", SCHEMA, ids=lambda setting: setting.key)
def test_defaults_are_fit_and_keys_are_nvs_keys(setting):
    assert check(setting.key, setting.default) == setting.default
    assert len(setting.key) <= 15
    assert title(setting.key)


@pytest.mark.parametrize("setting", NUMBERS, ids=lambda setting: setting.key)
def test_numbers(setting):
    for value in (setting.low, setting.high):
        assert check(setting.key, value) == value
        assert check(setting.key, f" {value} ") == value
    for value in (setting.low - 1, setting.high + 1, "", "many", "1.5", 1.5, None, "9" * 11):
        with pytest.raises(BadSetting):
            check(setting.key, value)


@pytest.mark.parametrize("key", FREE)
def test_texts_are_bounded_in_bytes(key):
    setting = BY_KEY[key]
    assert check(key, "x" * setting.high)
    assert check(key, "ü" * (setting.high // 2))
    for value in ("x" * (setting.high + 1), "ü" * (setting.high // 2 + 1), "a\0", "a\x85", 7, None):
        with pytest.raises(BadSetting):
            check(key, value)
    with pytest.raises(BadSetting):
        check(key, "a\ud800")
    if setting.low:
        with pytest.raises(BadSetting, match="empty"):
            check(key, "")


def test_only_instructions_have_lines():
    assert check("instr", "a\nb\tc") == "a\nb\tc"
    with pytest.raises(BadSetting):
        check("dev_name", "a\nb")


def test_unknown_keys_and_choices():
    with pytest.raises(BadSetting, match="no setting named colour"):
        check("colour", 1)
    assert check("board", "korvo2") == "korvo2"
    with pytest.raises(BadSetting, match=r"board is not one we know\. Choose one of korvo2"):
        check("board", "toaster")


@pytest.mark.parametrize("value", ["", "12345678", "x" * 63, "aB0" * 21 + "f", "pässwör"])
def test_wifi_passwords(value):
    assert check("wifi_psw", value) == value
    assert check("wifi_psw", Secret(value)) == value


@pytest.mark.parametrize("value", ["MARKED7", "MARKED" * 10 + "xyzw", "MARKED\n12"])
def test_bad_wifi_passwords_are_not_quoted(value):
    with pytest.raises(BadSetting) as told:
        check("wifi_psw", value)
    assert "MARKED" not in f"{told.value} {told.value!r} {told.value.detail}"


def test_keys():
    assert check("api_key", "sk-proj-abc_123") == "sk-proj-abc_123"
    for value in ("sk-1 ", "sk-é", "sk- 1", "“sk-1”"):
        with pytest.raises(BadSetting, match="odd letter"):
            check("api_key", value)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://example.org:8443",
        "http://127.0.0.1:8080/v1",
        "http://localhost/v1",
        "http://192.168.1.7:80/v1",
        "http://10.0.0.1",
        "http://172.31.0.1",
        "http://[::1]:9/v1",
        "https://[fd00::1]/v1",
    ],
)
def test_service_addresses(url):
    assert check("base_url", url) == url


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "not a web address"),
        ("api.openai.com", "not a web address"),
        ("ftp://a.b", "not a web address"),
        ("https://", "not a web address"),
        ("https://a.b:999999", "not a web address"),
        ("https://a.b:/v1", "not a web address"),
        ("HTTPS://a.b", "not a web address"),
        ("https://ä.b", "not a web address"),
        ("http://parley.local", "in the open"),
        ("http://[fd00::1]", "in the open"),
        ("http://127.1", "in the open"),
        ("https://[::1", "not a web address"),
        ("https://user@a.b", "not a web address"),
        ("https://a.b/?q", "not a web address"),
        ("https://a.b/#f", "not a web address"),
        ("https://a b", "not a web address"),
        ("http://api.openai.com/v1", "in the open"),
        ("http://8.8.8.8", "in the open"),
        ("http://172.32.0.1", "in the open"),
        ("http://localhost.example.org", "in the open"),
    ],
)
def test_bad_service_addresses(url, told):
    with pytest.raises(BadSetting, match=told):
        check("base_url", url)


def test_at_home():
    assert is_at_home("127.9.9.9")
    assert is_at_home("[::1]")
    assert not is_at_home("[2001:db8::1]")


# ---- a set of values


def test_settings_are_whole_and_hold_secrets_as_secrets():
    mine = Settings({"wifi_ssid": "Home", "api_key": "sk-MARKED", "volume": "70"})
    assert set(mine) == set(BY_KEY)
    assert len(mine) == len(SCHEMA)
    assert mine.text("wifi_ssid") == "Home"
    assert mine.number("volume") == 70
    assert mine.secret("api_key").reveal() == "sk-MARKED"
    assert "MARKED" not in repr(mine)
    with pytest.raises(BadSetting):
        Settings({"volume": 101})


def test_changes_make_new_settings():
    old = Settings({"api_key": Secret("sk-1")})
    new = old.with_values({"volume": 5, "api_key": "sk-2"})
    assert old.number("volume") == 60
    assert old.differences(new) == {
        "api_key": (Secret("sk-1"), Secret("sk-2")),
        "volume": (60, 5),
    }
    assert old.differences(Settings({"api_key": "sk-1"})) == {}
    assert Settings({"volume": 5}).differences({})["volume"] == (5, None)
    assert hash(old) == hash(Settings({"api_key": "sk-1"}))
    assert old == Settings({"api_key": "sk-1"})


def test_rows_for_nvs():
    rows = nvs_rows(Settings({"wifi_psw": "12345678"}))
    assert rows[0] == ("schema", "u16", 1)
    assert ("wifi_psw", "string", Secret("12345678")) in rows
    assert ("mic_gain", "i8", 30) in rows
    assert [key for key, _, _ in rows] == [setting.key for setting in SCHEMA]


# ---- files


def test_files_hold_no_secret():
    mine = Settings({"api_key": "sk-MARKED", "wifi_psw": "MARKED78", "instr": "Grüße\nzwei"})
    text = to_file(mine)
    assert "MARKED" not in text
    assert from_file(text) == mine.with_values({"api_key": "", "wifi_psw": ""})


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "\ud800"])
def test_what_is_no_settings_file(text):
    with pytest.raises(BadSetting, match="not a settings file"):
        from_file(text)


def test_files_that_are_refused():
    with pytest.raises(BadSetting, match="newer"):
        from_file(json.dumps({"schema": 2}))
    with pytest.raises(BadSetting) as told:
        from_file(json.dumps({"api_key": "sk-MARKED"}))
    assert "MARKED" not in str(told.value)
    with pytest.raises(BadSetting, match="colour"):
        from_file(json.dumps({"colour": 1}))


@quick
@given(st.sampled_from(SCHEMA), st.text() | st.integers() | st.none() | st.floats())
def test_any_value_is_fit_or_refused(setting, value):
    with contextlib.suppress(BadSetting):
        fit = check(setting.key, value)
        size = len(fit.encode()) if isinstance(fit, str) else fit
        assert setting.low <= size <= setting.high
