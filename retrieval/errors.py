"""Exceptions of the retrieval package, in their own module so that catching one loads no library."""

from scraper.errors import UserError


class RetrievalError(UserError):
    """An index or a search does not work. The message says why and what to do next."""


class GenerationError(RetrievalError):
    """A generation cannot be opened or built."""


class UnreadableNow(GenerationError):
    """A file of a generation is there and cannot be read. It may be as it should be."""


class PartsAway(RetrievalError):
    """No part of an index on several machines answers."""

    def __init__(self, parts: int) -> None:
        super().__init__(f"none of the {parts} parts of the index answers just now: try again in a few seconds")


class PartRefuses(GenerationError):
    """A part of an index on several machines cannot open a generation, which others may be able to."""

    def __init__(self, part: int, why: str) -> None:
        super().__init__(f"part {part} of the index cannot open the generation: {why}")


class EvaluationError(RetrievalError):
    """Questions cannot be evaluated."""


class BadFilter(UserError):
    """A filter of a search has a value that makes no sense; `filter` is its name."""

    def __init__(self, filter: str, message: str) -> None:
        super().__init__(f"{filter}: {message}")
        self.filter = filter


class BadWeights(UserError):
    """Field weights cannot be read."""


class BadChoices(UserError):
    """Choices of videos that are nearer to the one that is meant cannot be read."""


class UnknownVideo(UserError):
    """No video has this id."""


class TooLateToUndo(UserError):
    """The time in which a removal can be undone is over."""


class BadPicture(UserError):
    """A file to search by is no picture, or cannot be read."""


class UnknownPicture(UserError):
    """A picture to search by is not there, or not any more."""


class UnknownGeneration(UserError):
    """No finished generation has this name."""


class NoVision(RetrievalError):
    """A search by a picture, in an index without a vision model that can be loaded."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            reason
            or "this index does not know what videos show: run `tiktok-retrieval build --vision MODEL` first, where"
            " MODEL is the name or the folder of a vision model"
        )
