"""Pairs of videos that show the same, and their texts -> groups of copies.

Two videos filmed in one setting, or made from one template, may look alike and be equally long. So those that say or
write other things are no copies.
"""

from collections.abc import Sequence

from ingest.catalog import Catalog
from ingest.text.words import words
from retrieval.index.copies import Copies

MIN_WORDS = 4  # of each text: fewer say nothing
SHARED = 0.5  # of the words of the text that has fewer; readings of the same speech or picture differ by less
Texts = dict[str, set[str]]  # the words of each kind of text of a video


def copies_in(catalog: Catalog, pairs: Sequence[tuple[str, str, bool]]) -> Copies:
    """Return the groups of videos in a catalog that are copies of the same one, the smallest ids first.

    Args:
        pairs: those that show the same, and whether one is mirrored.
    """
    texts: dict[str, Texts] = {
        entry.video.id: {str(kind): words_of(text.text or "") for kind, text in entry.texts.items()}
        for entry in catalog.entries(sorted({video_id for first, second, _ in pairs for video_id in (first, second)}))
    }
    group_of: dict[str, set[str]] = {}
    for first, second, mirrored in pairs:
        if first not in texts or second not in texts:
            continue
        some, others = group_of.get(first, {first}), group_of.get(second, {second})
        if some is others or (not mirrored and _contradict(texts[first], texts[second], "cover")):
            continue  # nobody reads mirrored writing
        if any(_contradict(texts[one], texts[other], "transcript") for one in some for other in others):
            continue
        less, more = sorted((some, others), key=len)
        more |= less
        group_of[first] = group_of[second] = more
        group_of |= dict.fromkeys(less, more)
    return tuple(sorted({tuple(sorted(group)) for group in {id(one): one for one in group_of.values()}.values()}))


def _contradict(first: Texts, second: Texts, kind: str) -> bool:
    return differ(first.get(kind, set()), second.get(kind, set()))


def words_of(text: str) -> set[str]:
    """Return the words of a text, and the pairs of signs of a script without spaces."""
    found, before = set[str](), ""
    for word in words(text):
        if word.kind == "sign":
            found.add(before + word.folded)
            before = word.folded
        else:
            found.add(word.folded)
            before = ""
    return {word for word in found if len(word) > 1}


def differ(first: set[str], second: set[str]) -> bool:
    """Whether two texts, as sets of their words, are so long and so different that they are of different videos."""
    least = min(len(first), len(second))
    return least >= MIN_WORDS and len(first & second) < SHARED * least
