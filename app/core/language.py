"""Texts in the user's language. English is in the source; other languages are catalogues."""

from __future__ import annotations

from collections.abc import Mapping

_catalogue: Mapping[str, str] = {}


def use(catalogue: Mapping[str, str]) -> None:
    """Translate by this catalogue (English text → text) from now on; empty: English."""
    global _catalogue  # one language for the whole program, chosen once at its start
    _catalogue = catalogue


def tr(text: str, **values: object) -> str:
    """`text` in the user's language, `{name}` replaced by values; English where untranslated."""
    return _catalogue.get(text, text).format(**values) if values else _catalogue.get(text, text)
