"""Translation: a catalogue where it has the text, English elsewhere."""

from __future__ import annotations

from app.core.language import tr, use


def test_texts_and_values():
    try:
        use({"Joining {ssid}.": "{ssid} wird verbunden."})
        assert tr("Joining {ssid}.", ssid="Home") == "Home wird verbunden."
        assert tr("Listening.") == "Listening."
    finally:
        use({})
    assert tr("Joining {ssid}.", ssid="Home") == "Joining Home."
    assert tr("{not a place}") == "{not a place}"
