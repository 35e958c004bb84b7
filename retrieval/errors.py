"""What can go wrong in this room, apart from the modules so that naming an error loads no library."""

from scraper.errors import UserError


class RetrievalError(UserError):
    """The message says what is wrong and what to do next."""


class GenerationError(RetrievalError):
    """A generation cannot be used or built."""


class EvaluationError(RetrievalError):
    """Questions cannot be evaluated."""


class UnknownVideo(UserError):
    """No video has this id."""


class UnknownGeneration(UserError):
    """No finished generation has this name."""
