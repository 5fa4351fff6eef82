"""What the command line offers."""

from __future__ import annotations

from app.core.completion import MOST_LEARNT, Completion


def test_the_wires_commands_and_keys_without_secrets():
    offered = Completion().commands
    assert {"start", "mute 1", "set volume ", "wifi -s"} <= set(offered)
    assert not any("api_key" in each or "wifi_psw" in each for each in offered)
    assert list(offered) == sorted(set(offered))


def test_it_learns_from_help_and_from_nothing_else():
    completion = Completion()
    assert not completion.heard("assert", 1.0)
    completion.sent("help", 2.0)
    for text in (
        "I (3190) cmd: text: says something",  # known already
        "esp> assert ",
        "  Crash on purpose",
        "rec2play",
        "I (1) cmd: dance: moves",
        "Unrecognized command",
    ):
        completion.heard(text, 2.1)
    assert not completion.heard("late", 9.0)
    learnt = set(completion.commands) - set(Completion().commands)
    assert learnt == {"assert", "rec2play", "dance"}


def test_it_is_bounded():
    completion = Completion()
    completion.sent("help", 0.0)
    for number in range(1000):
        completion.heard(f"c{number}", 0.1)
    assert len(completion.commands) == len(Completion().commands) + MOST_LEARNT
