"""A ranking -> how sure it is: for each hit the chance that it is what was meant, and the cut-off.

A logistic regression over a few signals of a hit; the coefficients lie in assets/confidence.json, which
benchmarks/confidence.py learns and measures (docs/explanation/confidence.md). Every signal is the hit's own, so that
one formula serves the answer and each of its hits.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from retrieval.index.analysis import ANALYSERS, terms
from retrieval.index.documents import OVERVIEW
from retrieval.index.generation import Generation
from retrieval.search.answer import Ranking
from retrieval.search.fusion import Lane, Scores

JUDGED = 10  # an answer is as sure as the surest of its first hits
RAREST = 3  # words of a question that name the thing; a fourth is often one of many ways to say it
ASSET = "confidence.json"
# What each model looks at. "other" is for an encoder that the coefficients were not learned with, whose cosines lie
# elsewhere: there only how far a cosine stands out among all videos' counts. The place by keywords alone is left out:
# it says of a paraphrase, which shares few words with its video, that it is wrong (docs/explanation/confidence.md).
MODELS: dict[str, tuple[str, ...]] = {
    "hybrid": ("cosine", "grams", "rarest"),
    "dense": ("cosine", "grams", "rarest"),
    "keyword": ("grams", "rarest"),
    "hybrid other": ("cosine_z", "grams", "rarest"),
    "dense other": ("cosine_z", "grams", "rarest"),
}


class Model(BaseModel):
    """A logistic regression: a coefficient for each signal, and the confidence from which on a hit is good."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    coefficients: dict[str, float]
    intercept: float
    cut_off: float

    def confidence(self, signals: Mapping[str, Scores]) -> Scores:
        """The chance of each hit, 0 to 1, shape (hits,)."""
        logit = self.intercept + sum(value * signals[name] for name, value in self.coefficients.items())
        return np.asarray(1 / (1 + np.exp(-logit)))


class Calibration(BaseModel):
    """The models by name and the weights of the encoder that their cosines are of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str
    encoder_sha256: str
    models: dict[str, Model]

    def model(self, lane: Lane, encoder_sha256: str, *, has_cosines: bool = True) -> Model:
        """The model for a ranking by `lane`; without the overview's cosines only the words are left to judge by."""
        if lane == "keyword" or not has_cosines:
            return self.models["keyword"]
        return self.models[lane if encoder_sha256 == self.encoder_sha256 else f"{lane} other"]


@lru_cache(maxsize=1)
def calibration() -> Calibration:
    """The one that ships."""
    return Calibration.model_validate_json((files("retrieval.search") / ASSET).read_text(encoding="utf-8"))


def judge(
    generation: "Generation", ranking: "Ranking", lane: Lane, videos: Sequence[int] | NDArray[np.int64]
) -> tuple[Scores, float]:
    """The confidence of each video, shape (videos,), and the cut-off."""
    has_cosines = OVERVIEW in ranking.passage_scores
    model = calibration().model(lane, generation.manifest.encoder_sha256, has_cosines=has_cosines)
    return model.confidence(signals(generation, ranking, videos)), model.cut_off


def signals(
    generation: "Generation", ranking: "Ranking", videos: Sequence[int] | NDArray[np.int64]
) -> dict[str, Scores]:
    """What each video shows for itself, by name, shape (videos,):

    - cosine, cosine_z: of its overview with the question, and that as a z-score among all videos, in units of what the
      highest of so many would reach by chance, so that a small corpus's is like a large one's (dense lanes only);
    - grams: its share of the idf mass of the question's 4-grams;
    - rarest: how many of the question's RAREST rarest words it holds, as a share; a word that no video holds is rarest.
    """
    chosen = np.asarray(videos, np.int64)
    found: dict[str, Scores] = {}
    if OVERVIEW in ranking.passage_scores:
        cosines = generation.dense[OVERVIEW].video_scores(ranking.passage_scores[OVERVIEW])
        known = cosines[~np.isnan(cosines)]
        mean, deviation = (float(known.mean()), float(known.std())) if len(known) else (0.0, 0.0)
        found["cosine"] = np.nan_to_num(cosines[chosen])
        by_chance = np.sqrt(2 * np.log(len(known) + 1))  # about the highest of so many normal draws
        found["cosine_z"] = np.nan_to_num((cosines[chosen] - mean) / (deviation * by_chance or np.inf))
    idfs, held = holdings(generation, ranking, "grams", chosen)
    found["grams"] = idfs @ held / (idfs.sum() or 1.0)
    idfs, held = holdings(generation, ranking, "words", chosen)
    rarest = np.argsort(-idfs, kind="stable")[:RAREST]
    found["rarest"] = held[rarest].sum(axis=0) / max(1, len(rarest))
    return found


def holdings(
    generation: "Generation", ranking: "Ranking", analyser: str, videos: NDArray[np.int64]
) -> tuple[Scores, Scores]:
    """The idf of each term of the question, shape (terms,), and 1 where a video holds it, shape (terms, videos)."""
    asked = list(dict.fromkeys(terms(ranking.query, ANALYSERS[analyser])))
    unknown = float(np.log(2 * len(ranking.scores) + 2))  # the idf of a term in no video
    idfs = np.array([ranking.known[analyser].get(term, unknown) for term in asked])
    index = generation.keyword[analyser]
    held = np.array([index.holds(term, videos) for term in asked], np.float64).reshape(len(asked), len(videos))
    return idfs, held
