"""The tab Search as HTML: the query, the settings next to it, the results, and the view of one video."""

from collections.abc import Mapping, Sequence

from page.html import MODE_HINTS, MODE_NAMES, text
from retrieval.index.documents import FIELD_ALIASES, FIELD_NAMES


def _preset(rest: float, **weights: float) -> str:
    """Return weights as the API takes them, in the order of the page's sliders; `rest` for those not named."""
    return ",".join(f"{field}:{weights.get(field, rest):g}" for field in FIELD_NAMES)


# what somebody remembers -> the weights of the fields that hold it
PRESETS = {
    "Balanced": "",
    FIELD_NAMES["transcript"]: _preset(0.3, transcript=2, overview=0.6),
    FIELD_NAMES["cover"]: _preset(0.3, cover=2, description=1.5, overview=0.6),
    FIELD_NAMES["comments"]: _preset(0.3, comments=2, overview=0.6),
    FIELD_NAMES["creator"]: _preset(0.3, creator=2),
}
MODES = tuple(MODE_NAMES.items())
# by their names in the API: label and example
FILTERS = {
    "creator": ("Creator", "crumb.and.crust"),
    "tag": ("Hashtag", "baking"),
    "after": ("Posted from", "2022-03"),
    "before": ("Posted before", "2023"),
    "length": ("Length", "<30s, 1m..3m"),
    "likes": ("Likes", ">10k"),
}
# when the person met the video: in any list, or in one of them
TIMES = {"seen": "Seen", "liked": "Liked", "saved": "Saved", "watched": "Watched", "shared": "Shared"}
TIME_EXAMPLES = (
    *("last week", "last month", "a month ago", "this year", "last year"),
    *("last spring", "last summer", "last autumn", "last winter"),
)
SORTS = {
    "relevance": "Best match",
    "newest": "Newest post",
    "oldest": "Oldest post",
    "seen": "Most recently seen",
}


def radios(name: str, choices: Sequence[tuple[str, str]], legend: str, hints: Mapping[str, str] | None = None) -> str:
    """Return a choice of one of (value, label); the first is the default. `hints` explain values."""
    titles = {value: f' title="{hint}"' for value, hint in (hints or {}).items()}
    inner = "".join(
        f'<label><input type="radio" name="{name}" value="{value}"{"" if n else " checked"}>'
        f"<span{titles.get(value, '')}>{label}</span></label>"
        for n, (value, label) in enumerate(choices)
    )
    return f'<fieldset class="choice" id="{name}"><legend>{legend}</legend>{inner}</fieldset>'


def panel() -> str:
    """Return the settings: what is remembered, the mode, weights and filters."""
    sliders = "".join(
        f'<label for="weight-{field}">{name}</label><input type="range" id="weight-{field}" data-weight="{field}" '
        f'data-alias="{FIELD_ALIASES.get(field, field)}" min="0" max="2" step="0.1" value="1">'
        f'<output for="weight-{field}">1</output>'
        for field, name in FIELD_NAMES.items()
    )
    filters = "".join(
        f'<label for="by-{name}">{label}</label><input id="by-{name}" name="{name}" maxlength="200" '
        f'placeholder="{like}" autocomplete="off">'
        for name, (label, like) in FILTERS.items()
    )
    times = "".join(
        f'<label for="by-{name}">{label}</label><input id="by-{name}" name="{name}" maxlength="200" '
        'placeholder="2024-03, last winter" list="times" autocomplete="off">'
        for name, label in TIMES.items()
    )
    examples = "".join(f"<option>{example}</option>" for example in TIME_EXAMPLES)
    sorts = "".join(f'<option value="{value}">{label}</option>' for value, label in SORTS.items())
    return (
        '<details id="panel"><summary>Adjust the search</summary><div>'
        f"{radios('preset', [(weights, name) for name, weights in PRESETS.items()], 'I remember')}"
        f"{radios('mode', MODES, 'Mode', MODE_HINTS)}"
        '<details class="fold"><summary>Weights</summary>'
        f'<p class="hint">1 is the usual weight of a field, 0 switches it off.</p>'
        f'<div class="sliders">{sliders}</div></details>'
        f'<details class="fold" id="filters"><summary>Filters</summary><div class="filters">{filters}'
        '<label for="by-has">Only with speech</label><input type="checkbox" id="by-has" name="has" value="speech">'
        '<label for="by-lang" hidden>Language</label>'
        '<select id="by-lang" name="lang" data-facet="languages" hidden></select>'
        '<label for="by-source" hidden>Source</label>'
        '<select id="by-source" name="source" data-facet="sources" hidden></select></div></details>'
        '<details class="fold" id="met" hidden><summary>When you saw it</summary><div class="filters">'
        '<label for="by-in">In your</label><select id="by-in" name="in" data-facet="lists"></select>'
        f'{times}<datalist id="times">{examples}</datalist></div>'
        '<p class="hint">A day, a month, a year, a range such as 2023-12..2024-02, or words such as “last winter”.</p>'
        "</details>"
        f'<div class="filters"><label for="sort">Sort by</label><select id="sort" name="sort">{sorts}</select></div>'
        '<div class="filters"><label for="exact">Search for exactly what I typed</label>'
        '<input type="checkbox" id="exact" name="exact" value="true"></div>'
        '<label for="generation">Index</label><select id="generation" name="generation"></select>'
        '<button type="button" id="reset">Reset all</button></div></details>'
    )


def search_tab(examples: Sequence[str], title: str, message: str) -> str:
    """Return the whole tab. `title` and `message` are shown until there are results."""
    chips = "".join(f'<li><button type="button" data-ask>{text(example)}</button></li>' for example in examples)
    tries = f'<ul id="examples" class="chips" aria-label="Examples">{chips}</ul>' if chips else ""
    return (
        "<header><h1>Find the video you half remember</h1>"
        "<p>Describe what you remember. You get the video, the exact timestamp, and the reason.</p></header>"
        '<form id="ask" role="search" aria-busy="true"><label class="unseen" for="q">What do you remember?</label>'
        '<input id="q" name="q" type="search" maxlength="1000" placeholder="What do you remember?" autocomplete="off" '
        'enterkeyhint="search" list="completions" dir="auto" autofocus><datalist id="completions"></datalist>'
        '<button type="submit" class="primary">Search</button>'
        f'<div id="tries"><ul id="recent" class="chips" aria-label="Recent searches" hidden></ul>{tries}</div>'
        f'<div id="columns">{panel()}<section id="results" aria-label="Results">'
        f'<div class="notice" role="status"><h3>{text(title)}</h3><p>{text(message)}</p></div></section></div></form>'
        '<p class="keys">Keys: <kbd>/</kbd> search, <kbd>j</kbd> <kbd>k</kbd> or arrow keys move through the results, '
        "<kbd>Space</kbd> play, <kbd>Esc</kbd> return.</p>"
        '<dialog id="view" aria-labelledby="view-title"><button type="button" id="close" aria-label="Close">✕</button>'
        '<div id="view-body" tabindex="-1"></div></dialog>'
    )
