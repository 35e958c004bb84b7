"""A simulated site on loopback with the elements, data and delays of the real one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

TEMPLATE = Path(__file__).with_name("simulated_site.html")
POSTED = 1_700_000_000  # unix seconds: 2023-11-14T22:13:20Z
WEB_ID = "7000000000000000001"
Json = dict[str, Any]


@dataclass(frozen=True)
class Remark:
    """A comment, or a reply to one."""

    text: str
    name: str = "reader"
    likes: int = 3
    replies: tuple["Remark", ...] = ()


@dataclass(frozen=True)
class Clip:
    """A video or photo post, and how the page behaves with it; `remarks_after_ms` None: the comments never come."""

    number: int
    name: str = "maker"
    nickname: str = "The Maker"
    text: str = "A lamp from a jar #diy #Lamp"
    likes: int = 20_240
    remarks: tuple[Remark, ...] = (Remark("first"), Remark("so bright", "second.reader", 1_200))
    remarks_after_ms: int | None = 0
    panel_after_ms: int = 0
    slides: tuple[str, ...] = ()
    blob: bool = True

    @property
    def id(self) -> str:
        return str(((POSTED + self.number) << 32) + self.number)  # the site's ids contain the second of their creation

    @property
    def comment_count(self) -> int:
        return len(self.remarks) + sum(len(remark.replies) for remark in self.remarks)

    @property
    def play_address(self) -> str:
        return f"https://v16.example/{self.id}/play.mp4?expire=1"


@dataclass
class Site:
    """The feed, and how the site behaves."""

    clips: list[Clip]
    page_data: Literal["universal", "sigi", "none"] = "universal"
    transport: Literal["fetch", "xhr", "none"] = "none"  # how the app asks for the data of the next videos
    end: Literal["disabled", "none", "stays"] = "disabled"  # the button to the next video after the last one
    lost: tuple[str, ...] = ()  # data-e2e elements that the site no longer has; "*": all of them, and the class names
    page_size: int = 20  # comments per request
    leaves_comments: bool = False  # the comments of the previous video stay until the new ones are there
    asked: list[str] = field(default_factory=list)  # every path that was requested

    def start(self, address: str, index: int = 0) -> str:
        clip = self.clips[index]
        return f"{address}/@{clip.name}/{'photo' if clip.slides else 'video'}/{clip.id}"


def short(count: int) -> str:
    """A count as the site shows it: 20,240 is 20.2K."""
    for size, letter in ((1_000_000, "M"), (1_000, "K")):
        if count >= 10 * size or (count >= size and letter == "M"):
            return f"{count / size:.1f}{letter}"
    return str(count)


def item(clip: Clip) -> Json:
    """A video in the data of the site."""
    made: Json = {
        "id": clip.id,
        "desc": clip.text,
        "createTime": str(POSTED + clip.number),
        "author": {"id": "600000000001", "uniqueId": clip.name, "nickname": clip.nickname},
        "music": {"id": f"{clip.id}", "title": "made up", "authorName": clip.nickname},
        "stats": {"diggCount": clip.likes, "commentCount": clip.comment_count, "playCount": 90_210, "shareCount": 17},
        "textExtra": [{"hashtagName": "diy"}, {"hashtagName": ""}],
        "challenges": [{"id": "1", "title": "jar"}],
        "video": {"id": clip.id, "cover": f"https://p16.example/{clip.id}/cover.jpg"},
    }
    if clip.slides:
        images = [{"imageURL": {"urlList": [slide, f"{slide}?b"]}} for slide in clip.slides]
        made["imagePost"] = {"images": images, "cover": images[0]}
        return made
    made["video"] |= {
        "originCover": f"https://p16.example/{clip.id}/origin.jpg",
        "playAddr": clip.play_address,
        "downloadAddr": f"https://v16.example/{clip.id}/watermarked.mp4",
        "bitrateInfo": [
            {"Bitrate": 500, "PlayAddr": {"UrlList": [f"https://v16.example/{clip.id}/low.mp4"]}},
            {"Bitrate": 900, "PlayAddr": {"UrlList": [clip.play_address, f"https://v19.example/{clip.id}/high.mp4"]}},
        ],
        "subtitleInfos": [
            {"LanguageCodeName": "eng-US", "Source": "ASR", "Format": "webvtt", "Url": "https://v16.example/a.vtt"},
            {"LanguageCodeName": "deu-DE", "Source": "MT", "Format": "webvtt", "Url": "https://v16.example/b.vtt"},
        ],
    }
    return made


def flat_item(clip: Clip) -> Json:
    """The same in older page data, where the author is only a name."""
    made = item(clip)
    return made | {"author": clip.name, "nickname": clip.nickname}


def answered_comments(clip: Clip, start: int, size: int) -> Json:
    """Comments in the data of the site."""
    comments = [
        {
            "cid": f"{int(clip.id) + 100 + start + n}",
            "aweme_id": clip.id,
            "text": remark.text,
            "create_time": POSTED + 3600,
            "digg_count": remark.likes,
            "reply_comment_total": len(remark.replies),
            "reply_id": "0",
            "user": {"uid": "1", "unique_id": remark.name, "nickname": remark.name.title()},
        }
        for n, remark in enumerate(clip.remarks[start : start + size])
    ]
    return {"comments": comments or None, "has_more": int(start + size < len(clip.remarks)), "status_code": 0}


def shown(clip: Clip) -> Json:
    """The data that the script of the simulated site needs to draw a clip."""

    def of_remark(remark: Remark) -> Json:
        return asdict(remark) | {
            "nickname": remark.name.title(),
            "shown_likes": short(remark.likes),
            "shown_time": "2d ago",
            "replies": [of_remark(reply) for reply in remark.replies],
        }

    kind = "photo" if clip.slides else "video"
    link = f"https://www.tiktok.com/@{clip.name}/{kind}/{clip.id}?is_from_webapp=v1&web_id={WEB_ID}"
    return asdict(clip) | {
        "id": clip.id,
        "link": link,
        "music": f"made up - {clip.nickname}",
        "shown_time": "11-14",
        "shown_likes": short(clip.likes),
        "shown_comment_count": short(clip.comment_count),
        "shown_video": f"/media/{clip.id}.mp4",
        "cover": f"/media/{clip.number}.svg",
        "remarks": [of_remark(remark) for remark in clip.remarks],
    }


def page(site: Site, clip: Clip) -> str:
    drawn = {
        "clips": [shown(each) for each in site.clips],
        "transport": site.transport,
        "end": site.end,
        "lost": site.lost,
        "page_size": site.page_size,
        "leaves_comments": site.leaves_comments,
    }
    own: dict[str, tuple[str, Json]] = {
        "universal": (
            "__UNIVERSAL_DATA_FOR_REHYDRATION__",
            {
                "__DEFAULT_SCOPE__": {
                    "webapp.app-context": {"wid": WEB_ID},
                    "webapp.video-detail": {"itemInfo": {"itemStruct": item(clip)}},
                }
            },
        ),
        "sigi": (
            "SIGI_STATE",
            {"AppContext": {"appContext": {"wid": WEB_ID}}, "ItemModule": {clip.id: flat_item(clip)}},
        ),
    }
    data = ""
    if site.page_data != "none":
        name, content = own[site.page_data]
        data = f'<script id="{name}" type="application/json">{script_text(content)}</script>'
    return (
        TEMPLATE.read_text(encoding="utf-8")
        .replace("<!--PAGE_DATA-->", data)
        .replace("FEED<", script_text(drawn) + "<")
    )


def script_text(content: Json) -> str:
    """JSON that cannot end its script element, as the site writes it."""
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


def cover(number: str) -> str:
    """A drawn cover: a jar lamp in one of many colours."""
    hue = int(number) * 47 % 360
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 270 480">
<rect width="270" height="480" fill="hsl({hue} 45% 30%)"/>
<circle cx="135" cy="215" r="105" fill="hsl({hue} 80% 60% / .35)"/>
<rect x="85" y="150" width="100" height="140" rx="22" fill="hsl({hue} 90% 78%)"/>
<rect x="98" y="132" width="74" height="22" rx="6" fill="#ddd"/>
<text x="135" y="400" fill="#fff" font-family="sans-serif" font-size="26" text-anchor="middle">No. {number}</text>
</svg>"""


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve the site on a free port of loopback. Yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            by_id = {clip.id: clip for clip in site.clips}
            if parts.path.startswith("/api/comment/list"):
                clip = by_id[query["aweme_id"]]
                self.answer(
                    "application/json", json.dumps(answered_comments(clip, int(query["cursor"]), site.page_size))
                )
            elif parts.path.startswith("/api/recommend/item_list"):
                self.answer("application/json", json.dumps({"itemList": [item(by_id[query["id"]])], "hasMore": True}))
            elif parts.path.startswith("/media/"):
                name = parts.path.removeprefix("/media/")
                drawn = cover(name.removesuffix(".svg")) if name.endswith(".svg") else ""
                self.answer("image/svg+xml" if drawn else "video/mp4", drawn)
            elif parts.path.rpartition("/")[2] in by_id:
                self.answer("text/html; charset=utf-8", page(site, by_id[parts.path.rpartition("/")[2]]))
            else:
                self.answer("text/plain", "")

        def answer(self, kind: str, body: str) -> None:
            content = body.encode("utf-8")
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
