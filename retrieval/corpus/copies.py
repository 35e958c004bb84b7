"""Pairs by which videos that show the same are connected, and their texts -> groups of copies.

Two videos filmed in one setting, or made from one template, may look alike and be equally long. So those that say or
write other things are no copies.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from ingest.catalog import Catalog
from ingest.text.words import words
from retrieval.index.copies import Copies

MIN_WORDS = 4  # of each text: fewer say nothing
SHARED = 0.5  # of the words of the text that has fewer; readings of the same speech or picture differ by less
SPEECH, ON_SCREEN = "transcript", "cover"  # the kinds of texts that count
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
    found = []
    for look_alike in _connected(pairs):
        groups: list[_Group] = []
        there = [video_id for video_id in look_alike if video_id in texts]
        for video_id in sorted(there, key=lambda one: (not _said(texts[one], SPEECH), one)):  # silent ones fit to any
            one, mirrored = texts[video_id], look_alike[video_id]
            group = next((group for group in groups if group.fits(one, mirrored)), None)
            if group is None:
                groups.append(group := _Group())
            group.add(video_id, one, mirrored)
        found += [tuple(sorted(group.ids)) for group in groups if len(group.ids) > 1]
    return tuple(sorted(found))


def _connected(pairs: Sequence[tuple[str, str, bool]]) -> Iterator[dict[str, bool]]:
    """Yield the videos that pairs connect, and of each whether it is mirrored if the first is not."""
    connected: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for first, second, mirrored in pairs:
        connected[first].append((second, mirrored))
        connected[second].append((first, mirrored))
    while connected:
        start = next(iter(connected))
        found, open_ends = {start: False}, [start]
        while open_ends:
            one = open_ends.pop()
            for other, mirrored in connected.pop(one):
                if other not in found:
                    found[other] = found[one] != mirrored
                    open_ends.append(other)
        yield found


class _Group:
    """Copies of one video, with the first speech and on-screen text among theirs that say something."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self._texts: Texts = {}
        self._text_mirrored = False  # whether the on-screen text is; nobody reads mirrored writing

    def fits(self, texts: Texts, mirrored: bool) -> bool:
        """Return whether a video with these texts may be a copy."""
        if differ(self._texts.get(SPEECH, set()), texts.get(SPEECH, set())):
            return False
        compared = mirrored == self._text_mirrored
        return not (compared and differ(self._texts.get(ON_SCREEN, set()), texts.get(ON_SCREEN, set())))

    def add(self, video_id: str, texts: Texts, mirrored: bool) -> None:
        self.ids.append(video_id)
        for kind in (SPEECH, ON_SCREEN):
            if kind not in self._texts and _said(texts, kind):
                self._texts[kind] = texts[kind]
                self._text_mirrored = mirrored if kind == ON_SCREEN else self._text_mirrored


def _said(texts: Texts, kind: str) -> bool:
    return len(texts.get(kind, ())) >= MIN_WORDS


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
