"""A ranking -> the confidence of each hit: the chance that it is the video that was meant.

A logistic regression on a few signals of a hit (docs/explanation/confidence.md). retrieval/evaluation/calibrate.py
learns the coefficients and writes them to confidence.json. Every signal depends on one hit only, so the same formula
serves every hit and, by its highest value, the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ingest.text.words import words
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.search.answer import Ranking
from retrieval.search.fusion import Mode, Scores

JUDGED = 10  # an answer's confidence is the highest of this many first hits
RAREST = 3  # words of a question that are likely to be in the video; a fourth is often a paraphrase
ASSET = "confidence.json"
# The signals of each model. "other" is for encoders that the coefficients were not learned with: their cosines have
# another range, so only the cosine's z-score among all videos counts. The rank by keywords is not a signal: it would
# reject paraphrases, which share few words with their video (docs/explanation/confidence.md).
MODELS: dict[str, tuple[str, ...]] = {
    "hybrid": ("cosine", "char_ngrams", "rarest"),
    "dense": ("cosine", "char_ngrams", "rarest"),
    "keyword": ("char_ngrams", "rarest"),
    "hybrid other": ("cosine_z", "char_ngrams", "rarest"),
    "dense other": ("cosine_z", "char_ngrams", "rarest"),
}


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


class Calibration(BaseModel):
    """The models by name, and the encoder whose cosines they were learned with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str
    encoder_sha256: str
    models: dict[str, Model]

    def model(self, mode: Mode, encoder_sha256: str, *, has_cosines: bool = True) -> Model:
        """Return the model for a ranking. Without cosines of the whole video it is the one for keywords."""
        if mode == "keyword" or not has_cosines:
            return self.models["keyword"]
        return self.models[mode if encoder_sha256 == self.encoder_sha256 else f"{mode} other"]


@dataclass(frozen=True)
class Verdict:
    """The confidence of each of some videos, shape (videos,), and the lowest confidence of a good hit."""

    confidence: Scores
    cut_off: float


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """Return the calibration that is part of this package."""
    return Calibration.model_validate_json((files("retrieval.search") / ASSET).read_text(encoding="utf-8"))


def judge(generation: Generation, ranking: Ranking, mode: Mode, videos: Sequence[int] | NDArray[np.int64]) -> Verdict:
    """Return the confidence of each video."""
    number = judging_encoder(generation, ranking)
    sha256 = "" if number is None else generation.manifest.encoders[number].sha256
    model = calibration().model(mode, sha256, has_cosines=number is not None)
    if _not_understood(ranking):
        return Verdict(np.zeros(len(videos)), model.cut_off)
    return Verdict(model.confidence(signals(generation, ranking, videos)), model.cut_off)


def _not_understood(ranking: Ranking) -> bool:
    """Return whether a question has nothing but emoji that no video has: their vectors say nothing."""
    return not ranking.known_idfs["stems"] and {word.kind for word in words(ranking.query)} == {"emoji"}


def judging_encoder(generation: Generation, ranking: Ranking) -> int | None:
    """Return the encoder whose cosines of the whole video are signals: of those that have a part in the scores, the one
    that the coefficients were learned with, or else the first. None without such cosines."""
    used = [number for number, found in enumerate(ranking.passage_scores) if OVERVIEW in found]
    learned = calibration().encoder_sha256
    return next((n for n in used if generation.manifest.encoders[n].sha256 == learned), next(iter(used), None))


def signals(generation: Generation, ranking: Ranking, videos: Sequence[int] | NDArray[np.int64]) -> dict[str, Scores]:
    """Return the signals of each video by name, shape (videos,):

    - cosine (with the dense retriever): of the whole video with the question;
    - cosine_z: its z-score among all videos, divided by the highest z-score to expect by chance among so many, so that
      small and large corpora are comparable;
    - char_ngrams: the video's share of the idf mass of the question's 4-grams;
    - rarest: the share of the question's RAREST rarest words that the video has. Words in no video are the rarest.
    """
    chosen = np.asarray(videos, np.int64)
    found: dict[str, Scores] = {}
    if (number := judging_encoder(generation, ranking)) is not None:
        cosines = generation.dense[number][OVERVIEW].video_scores(ranking.passage_scores[number][OVERVIEW])
        known = cosines[~np.isnan(cosines)]
        mean, deviation = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        found["cosine"] = np.nan_to_num(cosines[chosen])
        by_chance = np.sqrt(2 * np.log(len(known) + 1))  # about the highest of so many normal variables
        found["cosine_z"] = np.nan_to_num((cosines[chosen] - mean) / (deviation * by_chance or np.inf))
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
    unknown = float(np.log(2 * len(ranking.scores) + 2))  # the idf of a term in no video
    idfs = np.array([max((known[form] for form in forms if form in known), default=unknown) for forms in wanted])
    present = np.array(
        [np.any([index.contains(form, videos) for form in forms], axis=0) for forms in wanted], np.float64
    )
    return idfs, present.reshape(len(wanted), len(videos))
