"""“Add videos” as HTML: its button, its dialog, and the ways in that an empty page offers."""

from page.html import notice, text
from page.upload_names import ALLOWED
from page.uploads import Limits

EXPORT_STEPS = (
    "In the TikTok app, open Profile › Menu › Settings and privacy › Account › Download your data.",
    "Choose all data and JSON (text works too), and request it. TikTok needs up to a few days.",
    "Download the zip in the same place, and add it here as it is.",
)
WAYS = '<div class="ways"><button type="button" data-add="files">Add video files</button>' + (
    '<button type="button" data-add="export">Add your TikTok data export</button>'
    '<button type="button" data-add="links">Paste links</button></div>'
)


def empty_page() -> str:
    """Return what the page shows while there is no video: three ways to add some."""
    message = "Add your own, and find them again by anything you remember. Everything stays on this machine."
    return notice("There are no videos yet", message, more=WAYS)


def add_button() -> str:
    """Return the button in the header of the page, and next to it the state of what is being added."""
    return (
        '<button type="button" id="add-brief" data-add hidden></button>'
        '<button type="button" id="add-open" class="primary" data-add aria-haspopup="dialog">'
        '<span aria-hidden="true">+</span><span class="word"> Add</span><span class="rest"> videos</span></button>'
    )


def add_dialog(limits: Limits) -> str:
    """Return the dialog that adds videos from every tab, and the target of a drop."""
    steps = "".join(f"<li>{text(step)}</li>" for step in EXPORT_STEPS)
    allowed = ",".join(sorted(ALLOWED))
    return (
        '<div id="drop" popover="manual" aria-hidden="true">'
        '<p data-zone="search" hidden>Drop the picture here to search by it</p>'
        '<p data-zone="add">Drop files, folders or zips to add them</p></div>'
        '<p id="add-live" class="unseen" role="status"></p>'
        f'<dialog id="add" aria-labelledby="add-title" data-allowed="{allowed}" data-file-bytes="{limits.file_bytes}" '
        f'data-total-bytes="{limits.total_bytes}" data-files="{limits.files}">'
        '<div class="top"><h2 id="add-title" tabindex="-1">Add videos</h2>'
        '<button type="button" id="add-close" aria-label="Close">✕</button></div>'
        '<div id="add-now"></div><div id="add-status"></div>'
        '<div class="zone" id="add-files"><p><b>Drop files, folders or zips here</b></p>'
        '<p class="actions"><button type="button" class="primary" id="choose-files">Choose files</button> '
        '<button type="button" id="choose-folder">Choose a folder</button></p>'
        '<p class="muted">Videos, pictures, sound, your TikTok data export, lists of links, and files of yt-dlp and '
        "other tools. They are copied into the data folder of this program.</p>"
        f'<input type="file" id="pick-files" multiple accept="{allowed}" hidden aria-label="Files to add">'
        '<input type="file" id="pick-folder" webkitdirectory hidden aria-label="Folder to add"></div>'
        f'<details id="add-export"><summary>How to get your TikTok data export</summary><ol>{steps}</ol></details>'
        '<form id="add-links"><label for="links">Links to videos, one or several</label>'
        '<textarea id="links" name="links" rows="3" spellcheck="false" dir="auto" '
        'placeholder="https://www.tiktok.com/@name/video/…"></textarea>'
        '<button type="submit" class="primary">Add links</button></form>'
        '<details id="add-path"><summary>On the server</summary><form>'
        '<label for="path">Path of a file or folder on the machine where this program runs</label>'
        '<input id="path" name="path" maxlength="4000" autocomplete="off" '
        'spellcheck="false" dir="auto"><button type="submit" class="primary">Add path</button></form></details>'
        "</dialog>"
    )
