"""A ranking -> the confidence of each hit: the chance that it is the video that was meant.

A logistic regression on a few signals of a hit (docs/explanation/confidence.md). retrieval/evaluation/calibrate.py
learns the coefficients and writes them to confidence.json. Every signal depends on one hit only, so the same formula
serves every hit and, by its highest value, the answer. A question of which nothing was understood has no good hit.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ingest.language import language_of
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.search.answer import Ranking
from retrieval.search.fusion import Mode, Scores, moments
from retrieval.search.understanding import not_understood, reads

JUDGED = 10  # an answer's confidence is the highest of this many first hits
RAREST = 3  # words of a question that are likely to be in the video; a fourth is often a paraphrase
ASSET = "confidence.json"
KEYWORDS: tuple[str, ...] = ("char_ngrams", "rarest")
# The signals of an encoder that the coefficients were learned with, and of any other one: its cosines have another
# range, so only the z-score among all videos counts. The rank by keywords is not a signal: it would reject
# paraphrases, which share few words with their video (docs/explanation/confidence.md).
LEARNED: tuple[str, ...] = ("cosine", "cosine_z", "chance", *KEYWORDS)
OTHER: tuple[str, ...] = ("cosine_z", "chance", *KEYWORDS)


class Model(BaseModel):
    """A logistic regression: a coefficient for each signal, and the lowest confidence of a good hit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coefficients: dict[str, float]
    intercept: float
    cut_off: float

    def confidence(self, signals: Mapping[str, Scores]) -> Scores:
        """Return the confidence of each hit, 0 to 1, shape (hits,)."""
        logit = self.intercept + sum(value * signals[name] for name, value in self.coefficients.items())
        return np.asarray(1 / (1 + np.exp(-logit)))


class LearnedEncoder(BaseModel):
    """An encoder that models were learned with: their cosines have its range.

    They are for questions in `language`, or if it is "", for those in other languages, where cosines have other ranges.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str
    language: str
    models: dict[Mode, Model]


class Calibration(BaseModel):
    """The models: by encoder for those that they were learned with, for others by mode, and for keywords alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoders: tuple[LearnedEncoder, ...]
    others: dict[Mode, Model]
    keyword: Model

    def model(self, mode: Mode, encoder_sha256: str | None, language: str) -> Model:
        """Return the model for a question in a language whose cosines of the whole video are those of an encoder, or of
        none."""
        if mode == "keyword" or encoder_sha256 is None:
            return self.keyword
        learned = [encoder for encoder in self.encoders if encoder.sha256 == encoder_sha256]
        if not learned:
            return self.others[mode]
        return max(learned, key=lambda encoder: (encoder.language == language, not encoder.language)).models[mode]


@dataclass(frozen=True)
class Verdict:
    """The confidence of each of some videos, shape (videos,), and the lowest confidence of a good hit.

    `problem` says why the question was not understood, if it was not. Then no hit is good.
    """

    confidence: Scores
    cut_off: float
    problem: str = ""


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """Return the calibration that is part of this package."""
    return Calibration.model_validate_json((files("retrieval.search") / ASSET).read_text(encoding="utf-8"))


def judge(generation: Generation, ranking: Ranking, mode: Mode, videos: Sequence[int] | NDArray[np.int64]) -> Verdict:
    """Return the confidence of each video."""
    language = language_of(ranking.query)
    number = judging_encoder(generation, ranking, language)
    sha256 = None if number is None else generation.manifest.encoders[number].sha256
    model = calibration().model(mode, sha256, language)
    if problem := not_understood(generation, ranking):
        return Verdict(np.zeros(len(videos)), model.cut_off, problem)
    return Verdict(model.confidence(signals(generation, ranking, videos, number)), model.cut_off)


def judging_encoder(generation: Generation, ranking: Ranking, language: str) -> int | None:
    """Return the number of the encoder whose cosines of the whole video are signals; None if none reads it.

    Of those that have a part in the scores and read the question's language, one that reads this language only comes
    before one that reads many; if the language is uncertain, the other way round.
    """
    encoders = generation.manifest.encoders
    used = [
        number for number, found in enumerate(ranking.best) if OVERVIEW in found and reads(encoders[number], language)
    ]
    return min(used, key=lambda number: bool(encoders[number].language) != bool(language), default=None)


def signals(
    generation: Generation,
    ranking: Ranking,
    videos: Sequence[int] | NDArray[np.int64],
    encoder: int | None,
    without: Collection[int] = (),
) -> dict[str, Scores]:
    """Return the signals of each candidate by name, shape (videos,), as if the corpus were `without` some videos:

    - cosine (with an encoder): of the whole video with the question. Hubness is not subtracted: it depends on the
      number of videos, and is 0 for few;
    - cosine_z: the z-score among all videos of the cosine less hubness, divided by `chance`;
    - chance: the highest z-score to expect by chance among so many videos. The nearest of many videos is nearer;
    - char_ngrams: the video's share of the idf mass of the question's 4-grams;
    - rarest: the share of the question's RAREST rarest words that the video has. Words in no video are the rarest.
    """
    chosen = np.asarray(videos, np.int64)
    found: dict[str, Scores] = {}
    if encoder is not None:
        index, best = generation.dense[encoder][OVERVIEW], ranking.best[encoder][OVERVIEW]
        corrected, places = index.corrected(best, ranking.videos), ranking.at(chosen)
        spread = ranking.whole[encoder]
        if spread is None or len(without):
            spread = moments(corrected[~np.isin(ranking.videos, list(without))])
        chance = float(np.sqrt(2 * np.log(spread.count + 1)))  # about the highest of so many normal variables
        found["cosine"] = np.nan_to_num(best.cosines[places].astype(np.float64))
        above = corrected[places].astype(np.float64) - spread.mean
        found["cosine_z"] = np.nan_to_num(above / (spread.deviation * chance or np.inf))
        found["chance"] = np.full(len(chosen), chance)
    idfs, present = query_terms(generation, ranking, "char_ngrams", chosen)
    found["char_ngrams"] = idfs @ present / (idfs.sum() or 1.0)
    idfs, present = query_terms(generation, ranking, "stems", chosen)
    rarest = np.argsort(-idfs, kind="stable")[:RAREST]
    found["rarest"] = present[rarest].sum(axis=0) / max(1, len(rarest))
    return found


def query_terms(
    generation: Generation, ranking: Ranking, analyser: str, videos: NDArray[np.int64]
) -> tuple[Scores, Scores]:
    """Return the idf of each term of the question, shape (terms,), and 1 if a video has it, shape (terms, videos)."""
    index, known = generation.keyword[analyser], ranking.known_idfs[analyser]
    wanted = [term.all() for term in index.query_terms(ranking.query)]
    unknown = float(np.log(2 * generation.manifest.videos + 2))  # the idf of a term in no video
    idfs = np.array([max((known[form] for form in forms if form in known), default=unknown) for forms in wanted])
    return idfs, index.contain(ranking.query, videos).astype(np.float64)
