"""Pairs of videos that show the same, and their texts -> groups of copies.

Two videos filmed in one setting, or made from one template, may look alike and be equally long. So those that say or
write other things are no copies.
"""

import re
from collections.abc import Iterator

from ingest.catalog import Catalog
from ingest.catalog.picture_store import PictureStore
from retrieval.index.copies import Copies

MIN_WORDS = 4  # of each text: fewer say nothing
SHARED = 0.5  # of the words of the text that has fewer; readings of the same speech or picture differ by less
_WORD = re.compile(r"\w{2,}")


def copies_in(catalog: Catalog, store: PictureStore) -> Copies:
    """Return the groups of videos in a catalog that are copies of the same one, the smallest ids first."""
    pairs = store.copies()
    if not pairs:
        return ()
    texts: dict[str, dict[str, set[str]]] = {
        entry.video.id: {str(kind): words_of(text.text or "") for kind, text in entry.texts.items()}
        for entry in catalog.entries(sorted({video_id for first, second, _ in pairs for video_id in (first, second)}))
    }
    group_of: dict[str, set[str]] = {}
    for first, second, mirrored in pairs:
        if first not in texts or second not in texts:
            continue
        kinds = ["transcript", *([] if mirrored else ["cover"])]  # nobody reads mirrored writing
        if any(differ(texts[first].get(kind, set()), texts[second].get(kind, set())) for kind in kinds):
            continue
        joined = group_of.get(first, {first}) | group_of.get(second, {second})
        group_of |= dict.fromkeys(joined, joined)
    return tuple(sorted(set(_sorted(group_of))))


def _sorted(group_of: dict[str, set[str]]) -> Iterator[tuple[str, ...]]:
    return (tuple(sorted(group)) for group in group_of.values())


def words_of(text: str) -> set[str]:
    """Return the words of a text."""
    return set(_WORD.findall(text.casefold()))


def differ(first: set[str], second: set[str]) -> bool:
    """Whether two texts, as sets of their words, are so long and so different that they are of different videos."""
    least = min(len(first), len(second))
    return least >= MIN_WORDS and len(first & second) < SHARED * least
