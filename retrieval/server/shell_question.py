"""A question of `tiktok-retrieval search`, as the command asks it of a server that runs on this machine."""

from typing import TYPE_CHECKING, Protocol

from pydantic import BaseModel, ConfigDict

from ingest.settings import FusionMethod, SearchMode, SortOrder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.search.answer import Answer
    from retrieval.search.conditions import Condition


class _Searches(Protocol):
    def __call__(
        self,
        query: str,
        k: int,
        *,
        offset: int,
        mode: SearchMode,
        weights: dict[str, float],
        method: FusionMethod,
        filters: "Sequence[Condition]",
        sort: SortOrder,
        exact: bool,
    ) -> "Answer": ...


class ShellQuestion(BaseModel):
    """The options of the command. `filters` are values as they were typed, by the names of `filter_values.FILTERS`.

    `picture` is one to search by, small, as WebP; the words in it are in `query`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")

    query: str
    k: int
    offset: int
    mode: SearchMode
    weights: dict[str, float]
    method: FusionMethod
    filters: dict[str, str]
    sort: SortOrder
    exact: bool
    picture: bytes = b""

    def conditions(self) -> "list[Condition]":
        """Return the conditions of the filters.

        Raises:
            BadFilter: a value cannot be read.
        """
        from retrieval.search.filter_values import filters

        return filters(**self.filters)

    def answered_by(self, search: _Searches) -> "Answer":
        """Return the answer of `search`, such as the method of a searcher, which already has the picture."""
        return search(
            self.query,
            self.k,
            offset=self.offset,
            mode=self.mode,
            weights=self.weights,
            method=self.method,
            filters=self.conditions(),
            sort=self.sort,
            exact=self.exact,
        )
