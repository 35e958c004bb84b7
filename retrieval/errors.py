"""What can go wrong in this room, apart from the modules so that naming an error loads no library."""


class RetrievalError(Exception):
    """The message says what is wrong and what to do next."""


class GenerationError(RetrievalError):
    """A generation cannot be used or built."""


class EvaluationError(RetrievalError):
    """Questions cannot be evaluated."""


class UnknownVideo(Exception):
    """No video has this id."""


class UnknownGeneration(Exception):
    """No finished generation has this name."""
