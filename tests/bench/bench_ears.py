"""How well the local service understands: requests in three voices and three kinds of room, and
what it makes of five minutes of everything else.

A request counts as understood when the words that were heard mean the same tool calls (or the same
topic) as the words that were said. Each one goes through voice activity detection, too: what is
recognised is what the detector cut out.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from app.sim.chip import FRAME, Pcm
from app.sim.service.activity import HeardAudio, SpeechBegan, SpeechDetector, SpeechEnded
from app.sim.service.ears import sentence
from app.sim.service.grammar import grammar_of
from app.sim.service.intents import UNCLEAR, Chat, Do, Known, understand
from app.sim.service.recognition import Recogniser
from app.sim.service.skills import skills_of
from app.sim.speech import speak

RATE_HZ = 48_000
VOICES = ("en-us", "en-gb+m3", "en-us+f3")
ROOMS: dict[str, float | None] = {"clean": None, "20 dB": 20.0, "10 dB": 10.0}
MAIN = (
    "turn the light blue", "set the volume to thirty", "open the door", "what time is it",
)  # fmt: skip
REQUESTS = (
    *MAIN, "please turn the light red", "switch the light off", "turn on the light",
    "make the light green", "change the light to yellow", "turn the volume up", "volume down",
    "set the volume to eighty", "set the volume to fifty percent", "louder", "make it quieter",
    "mute", "close the door", "could you please close the door",
    "turn the light red and open the door", "what is the date", "help me", "what can you do",
    "be quiet", "never mind", "say that again", "repeat that", "who are you", "hello",
    "thank you", "goodbye",
)  # fmt: skip
OTHERS = (
    "the weather was nice and we went for a walk", "he opened a letter and closed his eyes",
    "i told him to buy some bread yesterday evening", "turn the page and read on",
    "she said that nobody would come to the party", "stop the car right now",
    "have you seen the new film about the war", "open the window it is hot in here",
    "my brother lives in a small house near the river", "close your books and listen",
    "the price of coffee went up again this year", "can you pass me the salt",
    "we should leave before it gets dark", "the train to london leaves at nine",
    "i really like the blue dress in the window", "set the table for dinner please",
    "what do you think about the government", "turn left at the next corner",
    "the doctor said i should drink more water", "the cat sat on the mat",
    "the children are playing in the garden", "it takes about thirty minutes to get there",
    "yes and then she told me the whole story", "no i have never been there before",
    "good morning ladies and gentlemen welcome to the show",
)  # fmt: skip
UNSEEN_VOICES = ("en-gb", "en-us+m7", "en-us+f1", "en-gb-scotland")
UNSEEN_OTHERS = (
    "the light in this room is too bright for reading",
    "please close the window before you go",
    "he turned the volume of the book in his hands",
    "what time does the shop open tomorrow",
    "she opened the door of the car and got out",
    "my uncle painted the door green last summer",
    "could you tell me the way to the station",
    "the blue light of the evening fell on the lake",
    "put the milk back in the fridge",
    "do you want another cup of tea",
    "i think we are lost again",
    "the music was much too loud for me",
    "change your shoes before you come in",
    "let us start with the first question",
    "they set off at half past ten",
    "make the bed and clean your room",
    "nobody knows what will happen next",
    "turn around and look at the mountains",
    "there were eighty people at the wedding",
    "help yourself to some cake",
    "the dog is barking at the postman",
    "open a new bank account on monday",
    "who is the president of france",
    "what is the capital of spain",
    "read the first chapter to me",
    "switch seats with your sister",
    "i am going to bed now good night",
    "wait a minute i have not finished",
    "he said hello and walked away",
    "the stop is right behind the church",
)
"""The recogniser was tuned on `VOICES` and `OTHERS`: these say how far that carries."""

COLOR = {"type": "object", "properties": {
    name: {"type": "integer", "minimum": 0, "maximum": 255} for name in ("red", "green", "blue")
}}  # fmt: skip
TOOLS = tuple(
    {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": {"type": "object", "properties": properties, "required": [needed]},
    }
    for name, description, properties, needed in (
        (
            "SetLightState",
            "Switches the light on or off and sets its color.",
            {"LightState": {"type": "boolean"}, "LightColor": COLOR},
            "LightState",
        ),
        (
            "SetVolume",
            "Sets the loudness of the speaker in percent.",
            {"volume": {"type": "integer", "minimum": 0, "maximum": 100}},
            "volume",
        ),
        ("OpenDoor", "Opens or closes the door.", {"open": {"type": "boolean"}}, "open"),
    )
)
SKILLS = skills_of(TOOLS)
Sound = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """One request in one voice and room."""

    request: str
    voice: str
    room: str
    words: str

    @property
    def right(self) -> bool:
        return meaning(self.words) == meaning(self.request)

    @property
    def wrong_call(self) -> bool:
        """A tool was used that nobody asked for, which is worse than asking again."""
        return not self.right and bool(calls(self.words))


def meaning(words: str) -> list[object]:
    """Tool calls with arguments, and topics."""
    found: list[object] = []
    for intent in understand(words, SKILLS, Known()):
        match intent:
            case Do(skill, arguments):
                found.append((skill.tool, arguments))
            case Chat(topic):
                found.append(topic)
            case _:
                found.append("question")
    return found


def calls(words: str) -> list[object]:
    return [one for one in meaning(words) if isinstance(one, tuple)]


def in_room(speech: Pcm, snr_db: float | None, seed: int) -> Pcm:
    """The speech with half a second before and a second after it, over noise; `None`: the noise
    of a good microphone."""
    whole = np.concatenate((np.zeros(24_000), speech.astype(np.float64), np.zeros(48_000)))
    quiet = 6.0
    if snr_db is not None:
        quiet = float(np.sqrt(np.mean(speech.astype(np.float64) ** 2))) / 10 ** (snr_db / 20)
    whole += np.random.default_rng(seed).normal(0.0, quiet, len(whole))
    return whole.clip(-32_768, 32_767).astype(np.int16)


def turns_in(sound: Pcm) -> Iterator[Pcm]:
    """What the service would take for spoken turns."""
    detector, heard = SpeechDetector({"type": "server_vad"}), HeardAudio()
    speaking = False
    for start in range(0, len(sound) // FRAME * FRAME, FRAME):
        heard.add(sound[start : start + FRAME])
        for moment in detector.hear(sound[start : start + FRAME], heard.now_ms):
            speaking = isinstance(moment, SpeechBegan)
            if isinstance(moment, SpeechEnded):
                yield heard.take()
        if not speaking:
            heard.keep_last(400)
    if speaking:
        yield heard.take()


def words_in(recogniser: Recogniser, sound: Pcm) -> list[str]:
    """The words of each turn."""
    found = []
    for turn in turns_in(sound):
        hypothesis = recogniser.recognise(
            turn, lambda knows, other: grammar_of(SKILLS, knows, other=other)
        )
        found.append(sentence(hypothesis.words) if hypothesis.sure else UNCLEAR)
    return found


def hear_requests(
    recogniser: Recogniser,
    requests: Sequence[str] = REQUESTS,
    voices: Sequence[str] = VOICES,
    rooms: Sequence[str] = tuple(ROOMS),
) -> list[Heard]:
    def hear(case: tuple[str, str, str]) -> Heard:
        request, voice, room = case
        sound = in_room(speak(request, voice=voice), ROOMS[room], seed=len(request))
        return Heard(request, voice, room, " and ".join(words_in(recogniser, sound)))

    cases = [(r, v, room) for r in requests for v in voices for room in rooms]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(hear, cases))


# ---- what is no request


def other_speech(
    seconds: float, texts: Sequence[str] = OTHERS, voices: Sequence[str] = VOICES
) -> Pcm:
    """Sentences about other things in all voices, clean and noisy by turns."""
    parts: list[Pcm] = []
    count = number = 0
    while count < seconds * RATE_HZ:
        text, voice = texts[number % len(texts)], voices[number // len(texts) % len(voices)]
        room = list(ROOMS.values())[number % len(ROOMS)]
        parts.append(in_room(speak(text, voice=voice), room, number))
        count, number = count + len(parts[-1]), number + 1
    return np.concatenate(parts)


def music(seconds: float) -> Pcm:
    """Chords with a beat, a melody with vibrato, and drums."""
    at = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    chance = np.random.default_rng(7)
    whole = np.zeros(len(at))
    beat = RATE_HZ // 2
    for start in range(0, len(at) - beat, beat):
        t = at[:beat]
        fade = np.exp(-3 * t)
        root = 110 * 2 ** (chance.integers(0, 12) / 12)
        for ratio in (1, 1.26, 1.5, 2):
            whole[start : start + beat] += fade * np.sin(2 * np.pi * root * ratio * t)
        tune = root * 4 * 2 ** (chance.integers(0, 7) / 12)
        whole[start : start + beat] += np.sin(2 * np.pi * tune * t + 2 * np.sin(30 * t))
        whole[start : start + 4_800] += np.exp(-40 * t[:4_800]) * chance.normal(0, 2, 4_800)
    return (whole / np.abs(whole).max() * 9_000).astype(np.int16)


def noise(seconds: float) -> Pcm:
    """White, then brown and swelling, then bursts, as of a street."""
    third = int(seconds * RATE_HZ) // 3
    chance = np.random.default_rng(9)
    white = chance.normal(0, 800, third)
    brown = np.cumsum(chance.normal(0, 1, third))
    brown -= np.convolve(brown[::48], np.ones(100) / 100, "same").repeat(48)[:third]
    brown *= 2_500 / max(np.abs(brown).max(), 1) * (1.2 + np.sin(np.arange(third) / 60_000))
    bursts = chance.normal(0, 3_000, third) * (np.sin(np.arange(third) / 9_000) > 0.6)
    return np.concatenate((white, brown, bursts)).clip(-32_768, 32_767).astype(np.int16)


def false_calls(recogniser: Recogniser, sound: Pcm) -> tuple[int, int, list[str]]:
    """(turns detected, turns that used a tool, what those were heard as)."""
    pieces = [sound[at : at + 30 * RATE_HZ] for at in range(0, len(sound), 30 * RATE_HZ)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        heard = [w for words in pool.map(lambda p: words_in(recogniser, p), pieces) for w in words]
    wrong = [words for words in heard if calls(words)]
    return len(heard), len(wrong), wrong


# ---- the tables


def rate(heard: Sequence[Heard]) -> float:
    return sum(one.right for one in heard) / max(len(heard), 1)


def figures(minutes: float = 5.0) -> tuple[list[Heard], dict[str, tuple[int, int, list[str]]]]:
    """All requests in all voices and rooms; what other sound was taken for."""
    recogniser = Recogniser(os.cpu_count() or 1)
    heard = hear_requests(recogniser) + hear_requests(recogniser, REQUESTS[::2], UNSEEN_VOICES)
    span = minutes * 60
    others = {
        "other speech": false_calls(recogniser, other_speech(span)),
        "other speech, unseen": false_calls(
            recogniser, other_speech(span, UNSEEN_OTHERS, UNSEEN_VOICES)
        ),
        "music": false_calls(recogniser, music(span / 5)),
        "noise": false_calls(recogniser, noise(span / 5)),
    }
    return heard, others


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--json", action="store_true")
    arguments.add_argument("--minutes", type=float, default=5.0, help="of other speech")
    given = arguments.parse_args()
    since = time.monotonic()
    heard, others = figures(given.minutes)
    tuned, unseen = (
        {room: [h for h in heard if h.room == room and h.voice in voices] for room in ROOMS}
        for voices in (VOICES, UNSEEN_VOICES)
    )
    by_room = tuned
    if given.json:
        told = {f"understood, {room}": round(rate(these), 3) for room, these in by_room.items()}
        told |= {f"unseen voices, {room}": round(rate(t), 3) for room, t in unseen.items()}
        told |= {
            f"wrong calls, {room}": sum(h.wrong_call for h in t) for room, t in by_room.items()
        }
        told |= {f"false calls, {kind}": count for kind, (_, count, _) in others.items()}
        print(json.dumps(told))
        return
    console = Console()
    table = Table(title=f"requests understood, {len(VOICES)} voices")
    for column in ("request", *ROOMS):
        table.add_column(column, justify="left" if column == "request" else "right")
    for request in REQUESTS:
        cells = [[one for one in these if one.request == request] for these in by_room.values()]
        table.add_row(request, *(f"{sum(h.right for h in c)}/{len(c)}" for c in cells))
    table.add_section()
    main_four = [[h for h in these if h.request in MAIN] for these in by_room.values()]
    table.add_row("the first four", *(f"{rate(these):.0%}" for these in main_four))
    table.add_row("all", *(f"{rate(these):.0%}" for these in by_room.values()))
    table.add_row("unseen voices", *(f"{rate(these):.0%}" for these in unseen.values()))
    wrong = [sum(one.wrong_call for one in these) for these in by_room.values()]
    table.add_row("a wrong tool call", *map(str, wrong))
    console.print(table)
    for one in heard:
        if one.wrong_call:
            console.print(f"  {one.request!r} in {one.voice}, {one.room}: {one.words}")
    for kind, (turns, count, texts) in others.items():
        console.print(f"{kind}: {turns} turns, {count} tool calls {texts or ''}")
    console.print(f"{time.monotonic() - since:.0f} s")


if __name__ == "__main__":
    main()
