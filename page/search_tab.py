"""The tab Search as HTML: the question, the settings above the results, the results, and the view of one video."""

from collections.abc import Mapping, Sequence

from page.html import MODE_HINTS, MODE_NAMES, text
from page.pictures import pick_button
from retrieval.index.documents import ALL_FIELD_NAMES, FIELD_ALIASES, FIELD_NAMES, SEEN

LOOKED = "What it looked like"
VISION = " data-vision hidden"  # attributes of what is there only if videos can be found by what they show
# what somebody remembers -> the weights of the fields, as the page writes them: those that are not 1
PRESETS = {
    "Balanced": "",
    **{
        FIELD_NAMES[field]: f"{field}:2"
        for field in ("transcript", "cover", "description", "comments", "creator", "music")
    },
    LOOKED: f"{SEEN}:2",
}
MODES = tuple(MODE_NAMES.items())
# by their names in the API: label and example
FILTERS = {
    "creator": ("Creator", "crumb.and.crust"),
    "tag": ("Hashtag", "baking"),
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


GLASS = (  # on narrow pages, in place of the word
    '<svg class="glass" viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" fill="none" '
    'stroke="currentColor" stroke-width="2.5" stroke-linecap="round">'
    '<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/></svg>'
)
BOX = 'form="ask" autocomplete="off"'  # the form is in the header; its settings are above the results


def remembered(weights: str) -> str:
    """Return the name of the preset with these weights; empty if there is none."""
    return next((name for name, preset in PRESETS.items() if preset == weights), "")


def radios(name: str, choices: Sequence[tuple[str, str]], legend: str, hints: Mapping[str, str] | None = None) -> str:
    """Return a choice of one of (value, label); the first is the default. `hints` explain values."""
    titles = {value: f' title="{hint}"' for value, hint in (hints or {}).items()}
    inner = "".join(
        f"<label{VISION if value == PRESETS[LOOKED] else ''}>"
        f'<input form="ask" type="radio" name="{name}" value="{value}"{"" if n else " checked"}>'
        f"<span{titles.get(value, '')}>{label}</span></label>"
        for n, (value, label) in enumerate(choices)
    )
    return f'<fieldset class="choice" id="{name}"><legend>{legend}</legend>{inner}</fieldset>'


def menu(name: str, label: str, inner: str, shown: bool = True) -> str:
    """Return a button of the toolbar that opens settings. Only one is open at a time."""
    return (
        f'<details class="menu" name="menu" id="{name}"{"" if shown else " hidden"}><summary>{label}</summary>'
        f'<div class="pop" role="group" aria-label="{label}">{inner}</div></details>'
    )


def select(name: str, label: str, options: str = "", facet: str = "") -> str:
    """Return a list of the toolbar. One that is filled by the values that videos have stays hidden until then."""
    filled = f' data-facet="{facet}" hidden' if facet else ""
    return (
        f'<label class="unseen" for="by-{name}">{label}</label>'
        f'<select class="pill" id="by-{name}" name="{name}" data-any="Any {label.lower()}" {BOX}{filled}>'
        f"{options}</select>"
    )


def written(name: str, label: str, like: str, more: str = "") -> str:
    """Return a labelled input of a filter."""
    return (
        f'<label for="by-{name}">{label}</label><input id="by-{name}" name="{name}" maxlength="200" '
        f'placeholder="{like}" {BOX} {more}>'
    )


def for_researchers() -> str:
    """Return what nobody needs who only looks for a video: mode, weights, and which index answers."""
    only = {field: VISION if field == SEEN else "" for field in ALL_FIELD_NAMES}
    sliders = "".join(
        f'<label for="weight-{field}"{only[field]}>{name}</label>'
        f'<input form="ask" type="range" id="weight-{field}"{only[field]} '
        f'data-weight="{field}" data-alias="{FIELD_ALIASES.get(field, field)}" min="0" max="2" step="0.1" value="1">'
        f'<output form="ask" for="weight-{field}"{only[field]}>1</output>'
        for field, name in ALL_FIELD_NAMES.items()
    )
    return (
        '<details class="fold" id="researchers"><summary>For researchers</summary>'
        f"{radios('mode', MODES, 'Mode', MODE_HINTS)}<h2>Weights</h2>"
        '<p class="hint">1 is the usual weight of a field, 0 switches it off.</p>'
        f'<div class="sliders">{sliders}</div><div class="filters">'
        f'<label for="generation">Index</label><select id="generation" name="generation" {BOX}></select>'
        '<span>Encoders</span><output form="ask" id="encoders"></output></div></details>'
    )


def dates() -> str:
    """Return the settings of dates, which are written as words or picked: when posted, and when the person saw it."""
    examples = "".join(f"<option>{example}</option>" for example in TIME_EXAMPLES)
    posted = dated("posted", "Posted", "2024-03, last winter")
    posted += dated("after", "Posted from", "2022-03") + dated("before", "Posted before", "2023")
    times = "".join(dated(name, label, "2024-03, last winter") for name, label in TIMES.items())
    return (
        '<ul class="facet" id="years" aria-label="Year" hidden></ul>'
        f'<div class="filters">{posted}</div><div id="met" hidden><h2>When you saw it</h2>'
        f'<div class="filters">{times}</div></div><datalist id="times">{examples}</datalist>'
        '<p class="hint">A day, a month, a year, a range such as 2023-12..2024-02, or words such as “last winter”.</p>'
    )


def dated(name: str, label: str, like: str) -> str:
    """Return an input for a date in words, and next to it a calendar that fills it in."""
    return (
        f'<label for="by-{name}">{label}</label><span class="dated">'
        f'<input id="by-{name}" name="{name}" maxlength="200" placeholder="{like}" {BOX} list="times">'
        f'<input type="date" data-day="{name}" aria-label="{label}: pick the day"></span>'
    )


def more() -> str:
    """Return the settings that few need."""
    return (
        f'<div class="filters">{"".join(written(name, *FILTERS[name]) for name in ("tag", "likes"))}'
        '<label for="by-has">Only with speech</label>'
        f'<input type="checkbox" id="by-has" name="has" value="speech" {BOX}>'
        '<label for="exact">Search for exactly what I typed</label>'
        f'<input type="checkbox" id="exact" name="exact" value="true" {BOX}></div>'
        f"{select('source', 'Source', facet='sources')}{for_researchers()}"
    )


def toolbar() -> str:
    """Return the settings above the results: what is remembered, filters, order, list or grid."""
    creator = (
        f'<div class="filters">{written("creator", *FILTERS["creator"])}</div>'
        '<ul class="facet" id="some-creators" aria-label="Creators"></ul>'
    )
    sorts = "".join(f'<option value="{value}">{label}</option>' for value, label in SORTS.items())
    return (
        '<div id="panel" class="toolbar" role="group" aria-label="Settings of the search">'
        + menu("remember", "I remember", radios("preset", [(w, name) for name, w in PRESETS.items()], "I remember"))
        + select("lang", "Language", facet="languages")
        + menu("creators", "Creator", creator)
        + select("in", "List", facet="lists")
        + menu("dates", "Date", dates())
        + select("length", "Length", facet="lengths")
        + menu("filters", "More", more())
        + f'<input type="hidden" name="nearer" {BOX}>'
        f'<input type="hidden" name="picture" {BOX}><input type="hidden" name="read" {BOX}>'
        f'<button type="button" id="reset" hidden>Reset all</button>'
        '<span class="order"><label class="unseen" for="sort">Sort by</label>'
        f'<select class="pill" id="sort" name="sort" {BOX}>{sorts}</select>'
        '<button type="button" class="pill" id="look" aria-pressed="false" aria-label="Grid of covers" '
        'title="Grid of covers"><span aria-hidden="true">▦</span></button></span></div>'
    )


def search_box() -> str:
    """Return the question, which is in the header of the page, on every tab."""
    return (
        '<form id="ask" role="search" aria-busy="true"><div class="hero"><h1>Find the video you half remember</h1>'
        "<p>Describe what you remember. You get the video, the exact timestamp, and the reason.</p></div>"
        '<div class="box"><label class="unseen" for="q">What do you remember?</label>'
        '<input id="q" name="q" type="search" maxlength="1000" placeholder="What do you remember?" autocomplete="off" '
        'enterkeyhint="search" dir="auto" role="combobox" aria-expanded="false" aria-controls="asked" '
        f'aria-autocomplete="list">{pick_button()}<button type="submit" class="primary">'
        f'<span class="word">Search</span>{GLASS}</button>'
        '<div id="asked-box" hidden><ul id="asked" role="listbox" aria-label="Suggestions"></ul>'
        '<button type="button" class="quiet" data-forget>Delete earlier questions</button></div></div></form>'
    )


def search_tab(examples: Sequence[str], title: str, message: str) -> str:
    """Return the tab. `title` and `message` are shown until there are results."""
    chips = "".join(f'<li><button type="button" data-ask>{text(example)}</button></li>' for example in examples)
    tries = f'<ul id="examples" class="chips" aria-label="Examples">{chips}</ul>' if chips else ""
    return (
        f'{tries}{toolbar()}<section id="results" aria-label="Results" tabindex="-1">'
        f'<div class="notice" role="status"><h2>{text(title)}</h2><p>{text(message)}</p></div></section>'
    )


def view_dialog() -> str:
    """Return the dialog in which one video is shown, over any tab."""
    return (
        '<dialog id="view" aria-labelledby="view-title"><div class="steps" id="view-steps">'
        '<button type="button" data-step="-1" aria-label="Previous video" title="Previous (k)">‹</button>'
        '<button type="button" data-step="1" aria-label="Next video" title="Next (j)">›</button></div>'
        '<button type="button" id="close" aria-label="Close">✕</button>'
        '<div id="view-body" tabindex="-1"></div></dialog>'
    )
