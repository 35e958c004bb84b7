"""Write docs/how-to/bookmarklet.html: a page that holds scraper.js as a link to bookmark."""

from pathlib import Path
from urllib.parse import quote

SCRIPT = Path(__file__).with_name("scraper.js")
PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "bookmarklet.html"
MAX_LINK_CHARS = 65_536  # the limit of Firefox; other browsers allow more
_SAFE = "~()*!.'/:;,?=&+$@[]{}|^ "  # and spaces: none of these ends the attribute or has a meaning in a link
_FRAME = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Bookmarklet</title>
<style>
  body {{ max-width: 38em; margin: 3em auto; padding: 0 1em; font: 17px/1.5 system-ui, sans-serif; }}
  a.drag {{ padding: .4em .9em; border-radius: .5em; background: #1f2328; color: #fff; text-decoration: none; }}
</style>
<h1>Scrape TikToks with a bookmark</h1>
<p>Drag this into the bookmarks bar: <a class="drag" href="{link}">Scrape TikToks</a></p>
<p>Then open a video with its comments beside it on the site, click the bookmark, and press Start in the panel that
appears. If nothing appears, the site's or the browser's policy forbids it: paste the script into the console, as
<a href="collect-in-the-browser.md">the guide</a> shows.</p>
</html>
"""


def bookmarklet(script: str) -> str:
    """Return the script as a `javascript:` link.

    Raises:
        ValueError: the link is too long for a bookmark.
    """
    link = "javascript:" + quote(script, safe=_SAFE)
    if len(link) > MAX_LINK_CHARS:
        raise ValueError(f"a bookmark may have {MAX_LINK_CHARS} characters, this has {len(link)}: shorten scraper.js")
    return link


def page() -> str:
    """Return the page with the current script."""
    return _FRAME.format(link=bookmarklet(SCRIPT.read_text(encoding="utf-8")).replace("&", "&amp;"))


if __name__ == "__main__":
    if PAGE.parent.is_dir():
        PAGE.write_text(page(), encoding="utf-8")
        print(PAGE)
    else:  # installed: the documentation is not part of the package
        print(page(), end="")
