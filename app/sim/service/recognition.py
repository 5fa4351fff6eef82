"""Speech to text without a network: pocketsphinx with the English model its package carries.

An utterance is decoded twice. The grammar pass finds the best sentence that the session could
understand, and it finds one in any sound; the phone pass says how well the same sound fits free
English phones. Where the sentence fits much worse than the phones, something else was said, and
the words are not passed on. Ratios of two passes over the same sound do not care how loud or how
noisy it was, which no threshold on a single score can claim.

The model was trained on sound with a floor of noise: digital silence and very clean synthetic
speech lie outside of what it knows, so a floor is added `FLOOR_DB` below the speech.
"""

from __future__ import annotations

import importlib
import queue
import re
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
from app.sim.service.vocabulary import OTHER_SPEECH

RATE_HZ = 16_000
FLOOR_DB = -30.0
SPEECH_RMS = 3_000.0
"""Level that speech is brought to before decoding."""

PADDING_S = 0.2
_HOP = 160
Floats = npt.NDArray[np.float64]
LONGEST_S = 20.0
"""No request is longer; the rest of a monologue is not listened to."""

LEAST_FIT, LEAST_COVERED = -18.0, 0.85
OTHER_WEIGHT = 0.01
"""Chance of a word that belongs to no request, against the grammar's own: the smaller, the more is
taken for a request."""

_NEVER = "misunderstandings"
_SEARCHES_KEPT = 8
_PHONES = re.findall(
    r"\w+",
    "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW "
    "V W Y Z",
)
_FREE, _OTHER = "any speech", "other"
_SILENCE = frozenset({"<s>", "</s>", "<sil>", "SIL", "[NOISE]", "+SPN+", "+NSN+", "(NULL)"})


class RecognitionMissing(RuntimeError):  # noqa: N818 - a state of the computer
    """This Python has no offline recogniser; `package` is what to install."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.package = "pocketsphinx"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What was recognised. `fit`: mean log likelihood ratio of a frame to free phones, which is
    below 0, the nearer the better. `covered`: share of the loud frames that lie in words."""

    words: str
    fit: float
    covered: float

    @property
    def sure(self) -> bool:
        return bool(self.words) and self.fit >= LEAST_FIT and self.covered >= LEAST_COVERED


NOTHING = Hypothesis("", -1e3, 0.0)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A word or phone in frames of 10 ms, both ends included."""

    word: str
    first: int
    last: int
    score: float


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
            beam=1e-52,
            pbeam=1e-52,
            wbeam=1e-34,
            loglevel="FATAL",
        )
        # Phones as words, not the package's phone search: its scores leave out the neighbours.
        for phone in _PHONES:
            self._decoder.add_word(f"phone{phone}", phone, update=phone == _PHONES[-1])
        loop = " | ".join(f"phone{phone}" for phone in _PHONES)
        self._decoder.add_jsgf_string(
            _FREE, f"#JSGF V1.0;\ngrammar any;\npublic <speech> = ({loop})+;\n"
        )
        self.other = self._garbage(OTHER_SPEECH)
        """A rule that any other speech fits."""

        self._grammars: OrderedDict[str, str] = OrderedDict()
        self._count = 0

    def knows(self, word: str) -> bool:
        return self._decoder.lookup_word(word) is not None

    def _garbage(self, words: Iterable[str]) -> str:
        """A loop of words under names of their own, to be told from those of requests."""
        known = [word for word in dict.fromkeys((*words, _NEVER)) if self.knows(word)]
        for word in known:
            phones = self._decoder.lookup_word(word)
            self._decoder.add_word(f"{_OTHER}{word}", phones, update=word == known[-1])
        loop = " | ".join(f"/{OTHER_WEIGHT}/ {_OTHER}{word}" for word in known)
        # Weights are relative: the long word takes the rest of the probability.
        return f"({loop} | /{len(known)}/ {_OTHER}{_NEVER})+"

    def decode(self, sound: bytes, grammar: str) -> Hypothesis:
        self._activate(grammar)
        self._run(sound)
        found, log = self._decoder.hyp(), self._decoder.logmath.log
        if found is None or not found.hypstr:
            return NOTHING
        words = str(found.hypstr)
        if _OTHER in words:
            return NOTHING
        said = _segments(self._decoder.seg(), log)
        self._decoder.activate_search(_FREE)
        self._run(sound)
        return _compared(words, said, _segments(self._decoder.seg(), log), sound)

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


def _segments(segments: Any, log: Callable[[float], float]) -> list[_Segment]:
    return [_Segment(s.word, s.start_frame, s.end_frame, log(s.ascore)) for s in segments]


def _compared(words: str, said: list[_Segment], phones: list[_Segment], sound: bytes) -> Hypothesis:
    """Frame by frame against the phones, wherever one of the two heard speech."""
    count = max(phones[-1].last, said[-1].last) + 1
    ours, theirs = np.zeros(count), np.zeros(count)
    spoken, worded = np.zeros(count, bool), np.zeros(count, bool)
    for segments, scores in ((said, ours), (phones, theirs)):
        for one in segments:
            scores[one.first : one.last + 1] = one.score / (one.last - one.first + 1)
            if one.word not in _SILENCE:
                spoken[one.first : one.last + 1] = True
                worded[one.first : one.last + 1] |= segments is said
    loud = _loud(np.frombuffer(sound, "<i2").astype(np.float64))[:count]
    loud = np.pad(loud, (0, count - len(loud)))
    if not worded.any():
        return NOTHING
    covered = float(worded[loud].mean()) if loud.any() else 0.0
    return Hypothesis(words, float((ours - theirs)[spoken].mean()), covered)


def _loud(sound: Floats) -> npt.NDArray[np.bool_]:
    """Frames of 10 ms that stand out of the quiet ones."""
    count = len(sound) // _HOP
    levels = 10 * np.log10(np.mean(sound[: count * _HOP].reshape(count, _HOP) ** 2, axis=1) + 1.0)
    low, high = np.percentile(levels, (10, 95))
    return np.asarray(levels > low + 0.4 * (high - low))


def _prepared(sound: Pcm) -> bytes:
    """16 kHz little-endian samples at the level of the model, with a floor and the utterance's own
    background before and after."""
    narrow = _spoken_part(_at_16_khz(sound[: int(LONGEST_S * 48_000)]).astype(np.float64))
    level = float(np.sqrt(np.mean(narrow**2))) if len(narrow) else 0.0
    narrow *= SPEECH_RMS / max(level, 30.0)
    floor = SPEECH_RMS * 10 ** (FLOOR_DB / 20)
    background = max(_quiet_rms(narrow), floor)
    chance = np.random.default_rng(1)
    narrow += chance.normal(0.0, floor, len(narrow))
    around = chance.normal(0.0, background, (2, int(PADDING_S * RATE_HZ)))
    whole = np.concatenate((around[0], narrow, around[1]))
    return whole.clip(-32_768, 32_767).astype("<i2").tobytes()


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
