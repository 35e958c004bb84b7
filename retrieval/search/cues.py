"""Words of a question that say where a person remembers something from: "the cover", "somebody replied", "the song".

The words are in the languages whose questions the sample has, and they are few: only those that name the place itself.
"""

import re

from ingest.text.fold import fold

_WORDS = {
    "transcript": "says|saying|said|tells|told|explains|explaining|shouts|whispers|voiceover|dice|dit|sagt|diz|говорит",
    "cover": "thumbnail|cover|caption|captions|subtitles|on screen|on the screen|text on|picture|pictures|sign|written"
    "|portada|couverture|titelbild|capa|обложка",
    "comments": "comment|comments|commenter|commented|reply|replies|replied|replying|someone below|in the replies"
    "|comentario|comentarios|responde|commentaire|commentaires|repond|kommentar|kommentare|antwortet|comentarios"
    "|комментарий|комментариях",
    "music": "song|tune|music|melody|choral|soundtrack|lyrics|cancion|chanson|lied|musica|musique|musik|песня|музыка",
    "creator": "account|channel|username|club name|cuenta|compte|kanal|konto|аккаунт",
}
_CUES = {field: re.compile(rf"(?<!\w)(?:{words})(?!\w)") for field, words in _WORDS.items()}


def cued_fields(question: str) -> frozenset[str]:
    """Return the fields that words of a question name."""
    folded = fold(question)
    return frozenset(field for field, words in _CUES.items() if words.search(folded))
