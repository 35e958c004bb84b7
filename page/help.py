"""What a person can type and press, as a dialog, with the way to the documentation."""

KEYS = (
    (("/",), "write a question"),
    (("j", "k"), "next and previous result or video; the arrow keys do the same (← → in an open video)"),
    (("Enter",), "open the result"),
    (("Space",), "play and pause"),
    (("+", "-"), "the video is nearer to this one, or not like it"),
    (("v",), "list or grid"),
    (("Esc",), "close, or back to the question"),
    (("Delete",), "delete the selected videos of the library; Ctrl+A selects all on show"),
    (("?",), "this help"),
)
WORDS = (
    ('"exact words"', "words that stand together"),
    ("-word", "without a word"),
    ("said:word", "in one field: said, written, description, creator, comments, music"),
    ("@name", "videos of a creator"),
    ("#tag", "videos with a hashtag"),
    ('liked:"last winter"', "by when you liked, saved, watched, shared or saw it"),
    ("in:favorites", "in one of your lists"),
    ("length:<30s", "by length"),
)


def help_dialog(has_docs: bool = True) -> str:
    """Return the dialog. `has_docs` says whether this server has the documentation."""
    docs = '<a href="docs/">Documentation</a> · ' if has_docs else ""
    keys = "".join(
        f"<div><dt>{' '.join(f'<kbd>{key}</kbd>' for key in pressed)}</dt><dd>{does}</dd></div>"
        for pressed, does in KEYS
    )
    words = "".join(f"<div><dt><code>{word}</code></dt><dd>{does}</dd></div>" for word, does in WORDS)
    return (
        '<dialog id="help" class="sheet" aria-labelledby="help-title"><div class="top"><h2 id="help-title">Help</h2>'
        '<button type="button" class="quiet" data-close aria-label="Close">✕</button></div>'
        "<p>Describe what you remember, in any language: what was said, what was written on the screen, who made it, "
        "what people commented. Or search by a picture: press the one in the search box, paste one, or drop one.</p>"
        f"<h3>Words that narrow a question</h3><dl>{words}</dl><h3>Keys</h3><dl>{keys}</dl>"
        f'<p>{docs}<a href="openapi.json">Description of the API</a></p></dialog>'
    )
