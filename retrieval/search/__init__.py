"""A question -> an answer. Each name is imported on first use, so that parsing a query loads no FAISS."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.search.answer import Answer, Hit, Reason
    from retrieval.search.searcher import Searcher

__all__ = ["Answer", "Hit", "Reason", "Searcher"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "searcher" if name == "Searcher" else "answer"
    return getattr(import_module(f"{__name__}.{module}"), name)
