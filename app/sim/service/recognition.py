"""Speech to text without a network: pocketsphinx with the English model that its package carries.

A grammar finds a request in any sound, so other speech has a path of its own beside the requests: a
loop of common words, none of which a request can contain. Such words are made so unlikely that a
request wins where both fit about as well, and lose where it had to be bent; the weight between the
two is the one figure that trades deafness against wrong actions (`tests/bench/bench_ears.py`).

The model was trained on sound with a floor of noise: digital silence and very clean synthetic
speech lie outside of what it knows, so a floor is added `FLOOR_DB` below the speech.
"""

from __future__ import annotations

import importlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from app.sim.chip import Pcm
from app.sim.service.vocabulary import OTHER, OTHER_SPEECH

RATE_HZ = 16_000
FLOOR_DB = -30.0
SPEECH_RMS = 3_000.0
"""Level that speech is brought to before decoding."""

PADDING_S = 0.2
_HOP, _WINDOW = 160, 512
OVER, RESIDUE = 1.5, 0.25
Floats = npt.NDArray[np.float64]
LONGEST_S = 20.0
"""No request is longer; the rest of a monologue is not listened to."""

LEAST_COVERED = 0.9
OTHER_WEIGHT = 1e-14
"""Chance of a word that belongs to no request, against the grammar's own: the smaller, the more is
taken for a request."""

_NEVER = "misunderstandings"
_SEARCHES_KEPT = 8
_SILENCE = frozenset({"<s>", "</s>", "<sil>", "SIL", "[NOISE]", "+SPN+", "+NSN+", "(NULL)"})


class RecognitionMissing(RuntimeError):  # noqa: N818 - a state of the computer
    """This Python has no offline recogniser; `package` is what to install."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.package = "pocketsphinx"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was recognised, "" when it was no request. `covered`: share of the loud frames that lie
    in its words; the rest is speech that was taken for a pause."""

    words: str
    covered: float

    @property
    def sure(self) -> bool:
        return bool(self.words) and self.covered >= LEAST_COVERED


NOTHING = Hypothesis("", 0.0)


class Recogniser:
    """A bounded pool of decoders. Callable from any thread; a caller waits for a free one."""

    def __init__(self, decoders: int = 2) -> None:
        self._free: queue.LifoQueue[_Decoder | None] = queue.LifoQueue()
        for _ in range(decoders):
            self._free.put(None)  # made when it is first needed

    def recognise(
        self,
        sound: Pcm,
        grammar: Callable[[Callable[[str], bool], str], str],
    ) -> Hypothesis:
        """48 kHz mono sound against a grammar, which is made of what words can be said and of a
        rule for everything else. Blocks for a fifth of the sound's length. Raises
        RecognitionMissing."""
        prepared = _prepared(sound)
        with self._decoder() as decoder:
            return decoder.decode(prepared, grammar(decoder.knows, decoder.other))

    def knows(self, word: str) -> bool:
        with self._decoder() as decoder:
            return decoder.knows(word)

    @contextmanager
    def _decoder(self) -> Iterator[_Decoder]:
        decoder = self._free.get()
        try:
            decoder = decoder or _Decoder()
            yield decoder
        finally:
            self._free.put(decoder)


_shared: Recogniser | None = None
_shared_lock = threading.Lock()


def shared() -> Recogniser:
    """One pool for all services of the process: the model takes some 40 MB for each decoder."""
    global _shared
    with _shared_lock:
        _shared = _shared or Recogniser()
        return _shared


class _Decoder:
    """One pocketsphinx decoder with the last few grammars compiled in it."""

    def __init__(self) -> None:
        try:
            package: Any = importlib.import_module("pocketsphinx")
        except ImportError as why:
            raise RecognitionMissing(
                "The offline recogniser (pocketsphinx) is not installed for this Python."
            ) from why
        model = Path(package.__file__).parent / "model" / "en-us"
        self._decoder: Any = package.Decoder(
            hmm=str(model / "en-us"),
            dict=str(model / "cmudict-en-us.dict"),
            lm=None,
            # The mean of the utterance itself: no memory of other calls.
            cmn="batch",
            # A lattice of alternatives costs ten times the decoding and would not be used.
            bestpath=False,
            # The grammar says what is possible, not what is likely.
            lw=2.0,
            wip=0.2,
            beam=1e-60,
            pbeam=1e-60,
            wbeam=1e-40,
            loglevel="FATAL",
        )
        self.other = self._garbage(OTHER_SPEECH)
        """A rule that any other speech fits."""

        self._grammars: OrderedDict[str, str] = OrderedDict()
        self._count = 0

    def knows(self, word: str) -> bool:
        return self._decoder.lookup_word(word) is not None

    def _garbage(self, words: Iterable[str]) -> str:
        """A loop of words under names of their own, to be told from those of requests."""
        # Words of one or two phones would fit into anything.
        phones = {word: self._decoder.lookup_word(word) for word in (*words, _NEVER)}
        known = [word for word, said in phones.items() if said and len(said.split()) > 2]
        for word in known:
            self._decoder.add_word(f"{OTHER}{word}", phones[word], update=word == known[-1])
        loop = " | ".join(f"/{OTHER_WEIGHT:g}/ {OTHER}{word}" for word in known)
        # Weights are relative: the long word takes the rest of the probability.
        return f"({loop} | /{len(known)}/ {OTHER}{_NEVER})+"

    def decode(self, sound: bytes, grammar: str) -> Hypothesis:
        self._activate(grammar)
        self._run(sound)
        found = self._decoder.hyp()
        if found is None or not found.hypstr or OTHER in found.hypstr:
            return NOTHING
        return Hypothesis(str(found.hypstr), _covered(self._decoder.seg(), sound))

    def _run(self, sound: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(sound, full_utt=True)
        self._decoder.end_utt()

    def _activate(self, grammar: str) -> None:
        name = self._grammars.get(grammar)
        if name is None:
            self._count += 1
            name = f"requests{self._count}"
            self._decoder.add_jsgf_string(name, grammar)
            self._grammars[grammar] = name
            if len(self._grammars) > _SEARCHES_KEPT:
                _, oldest = self._grammars.popitem(last=False)
                self._decoder.activate_search(name)
                self._decoder.remove_search(oldest)
        self._grammars.move_to_end(grammar)
        self._decoder.activate_search(name)


def _covered(segments: Any, sound: bytes) -> float:
    """Share of the loud frames that lie in words."""
    loud = _loud(np.frombuffer(sound, "<i2").astype(np.float64))
    worded = np.zeros(len(loud), bool)
    for segment in segments:
        if segment.word not in _SILENCE:
            worded[segment.start_frame : segment.end_frame + 1] = True
    return float(worded[loud].mean()) if loud.any() else 0.0


def _loud(sound: Floats) -> npt.NDArray[np.bool_]:
    """Frames of 10 ms that stand out of the quiet ones."""
    count = len(sound) // _HOP
    levels = 10 * np.log10(np.mean(sound[: count * _HOP].reshape(count, _HOP) ** 2, axis=1) + 1.0)
    low, high = np.percentile(levels, (10, 95))
    return np.asarray(levels > low + 0.4 * (high - low))


def _prepared(sound: Pcm) -> bytes:
    """16 kHz little-endian samples at the level of the model, with a floor and the utterance's own
    background before and after."""
    narrow = _at_16_khz(sound[: int(LONGEST_S * 48_000)]).astype(np.float64)
    narrow = _spoken_part(_without_background(narrow))
    level = float(np.sqrt(np.mean(narrow**2))) if len(narrow) else 0.0
    narrow *= SPEECH_RMS / max(level, 30.0)
    floor = SPEECH_RMS * 10 ** (FLOOR_DB / 20)
    background = max(_quiet_rms(narrow), floor)
    chance = np.random.default_rng(1)
    narrow += chance.normal(0.0, floor, len(narrow))
    around = chance.normal(0.0, background, (2, int(PADDING_S * RATE_HZ)))
    whole = np.concatenate((around[0], narrow, around[1]))
    return whole.clip(-32_768, 32_767).astype("<i2").tobytes()


def _without_background(sound: Floats) -> Floats:
    """Spectral subtraction: steady noise, as the quietest fifth of the frames shows it, goes down
    to `RESIDUE` of itself."""
    if len(sound) < 4 * _WINDOW:
        return sound
    half = _WINDOW // 2
    window = np.sqrt(np.hanning(_WINDOW + 1)[:-1])
    count = (len(sound) - _WINDOW) // half + 1
    places = np.arange(count)[:, None] * half + np.arange(_WINDOW)
    spectra = np.fft.rfft(sound[places] * window)
    powers = np.abs(spectra) ** 2
    totals = powers.sum(axis=1)
    quiet = powers[totals <= np.percentile(totals, 20)].mean(axis=0)
    # The gain is taken from smoothed powers: single bins of noise jump, and would sound like music.
    smooth = (powers[:, :-2] + powers[:, 1:-1] + powers[:, 2:]) / 3
    smooth = np.pad(smooth, ((0, 0), (1, 1)), mode="edge")
    gains = np.sqrt(np.maximum(1.0 - OVER * quiet / np.maximum(smooth, 1e-9), RESIDUE**2))
    pieces = np.fft.irfft(spectra * gains, _WINDOW) * window
    clean = np.zeros(len(sound))
    for number in range(count):
        clean[number * half : number * half + _WINDOW] += pieces[number]
    return clean


def _quiet_rms(sound: Floats) -> float:
    """Level of the quietest tenth."""
    count = len(sound) // _HOP
    if not count:
        return 0.0
    powers = np.mean(sound[: count * _HOP].reshape(count, _HOP) ** 2, axis=1)
    return float(np.sqrt(np.percentile(powers, 10)))


def _spoken_part(sound: Floats) -> Floats:
    """Without the silence before and after: it would pull the mean that is taken off the sound."""
    if len(sound) < 10 * _HOP:
        return sound
    loud = np.flatnonzero(_loud(sound))
    if not len(loud):
        return sound
    keep = int(PADDING_S * RATE_HZ)
    return sound[max(loud[0] * _HOP - keep, 0) : (loud[-1] + 1) * _HOP + keep]


def _at_16_khz(sound: Pcm) -> Pcm:
    if not len(sound):
        return sound
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = 48_000
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    parts = [*resampler.resample(frame), *resampler.resample(None)]
    return np.concatenate([part.to_ndarray()[0] for part in parts])
