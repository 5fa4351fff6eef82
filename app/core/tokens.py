"""Tokens spent so far, as the service counts them."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.events import UsageIs


@dataclass(frozen=True, slots=True)
class Tokens:
    """Sums over responses. `cached` of the input were cheaper."""

    responses: int = 0
    total: int = 0
    input_text: int = 0
    input_audio: int = 0
    cached: int = 0
    output_text: int = 0
    output_audio: int = 0

    def after(self, usage: UsageIs) -> Tokens:
        """The sums with one more response."""
        return Tokens(
            self.responses + 1,
            self.total + usage.total,
            self.input_text + usage.input_text,
            self.input_audio + usage.input_audio,
            self.cached + usage.cached,
            self.output_text + usage.output_text,
            self.output_audio + usage.output_audio,
        )
