"""Videos -> short digests, by which a build finds what has changed.

The *key* of a video changes when the catalog's record of it does, and is read without making its document. Its
*content* is a digest of the document itself: two corpora with equal contents have the same texts.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from retrieval.index.documents import Document

KEY_BYTES = 16
DOCUMENT_VERSION = 1  # incremented when `document` makes something else of the same entry


def content_of(doc: Document) -> bytes:
    """Return the digest of everything that is indexed of a video."""
    parts = [
        doc.id,
        doc.texts,
        {
            field: [[one.text, [[m.at, m.start_s, m.end_s] for m in one.marks]] for one in of]
            for field, of in doc.passages.items()
        },
        dict(doc.languages),
        asdict(doc.metadata),
    ]
    return _digest(json.dumps(parts, sort_keys=True).encode())


def key_of(parts: Iterable[bytes]) -> bytes:
    """Return the key of a video from the catalog's sums of those parts that its document is made of."""
    return _digest(b"\0".join((DOCUMENT_VERSION.to_bytes(2, "big"), *parts)))


def corpus_sha256(contents: NDArray[np.uint8]) -> str:
    """Return the checksum of a corpus from the contents of its videos, in any order: each is that of an id as well.

    Args:
        contents: shape (videos, KEY_BYTES).
    """
    halves = np.ascontiguousarray(contents).view(">u8").reshape(-1, 2)
    order = np.lexsort((halves[:, 1], halves[:, 0]))
    return hashlib.sha256(contents[order].tobytes()).hexdigest()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=KEY_BYTES).digest()
