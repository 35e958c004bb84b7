"""A stand-in of the site on loopback, for yt-dlp and the downloader: pages, media, short links, and refusals.

By hand, with 360 videos that exist, 30 that are gone and 10 private ones:

    python -m tests.scraper.stand_in --good 360 --gone 30 --private 10 --folder /tmp/site

It writes export.json, export.txt and links.txt to the folder, prints the environment variables that lead there, and
answers until Ctrl-C. `tiktok-retrieval add export.json` in that environment then reaches no other site.
"""

import argparse
import contextlib
import json
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from tests.scraper.faulty_answers import Answer, video
from tests.scraper.faulty_server import FaultyServer

FIRST_ID = 7_300_000_000_000_000_000
HISTORY_DAYS = 400

ID = "7200000000000000001"
PATH = f"/@ada.l_1/video/{ID}"
PLAY = "https://v16-webapp-prime.us.tiktok.com/video/tos/1/?a=1988&expire=4102444800"
COVER = "https://p16-sign-va.tiktokcdn.com/obj/1.image?x-expires=4102444800"
TRACK = "https://v16-webapp.tiktok.com/captions/1.webvtt?expire=4102444800"
ITEM = {
    "id": ID,
    "desc": "a jar becomes a lamp #diy",
    "createTime": "1671000000",
    "author": {"uniqueId": "ada.l_1", "nickname": "Ada", "id": "1", "secUid": "MS4"},
    "music": {"title": "original sound", "authorName": "Ada", "duration": 9},
    "stats": {"diggCount": 20200, "commentCount": 3, "playCount": 100, "shareCount": 1},
    "video": {
        "width": 576,
        "height": 1024,
        "duration": 9,
        "playAddr": PLAY,
        "cover": COVER,
        "subtitleInfos": [{"LanguageCodeName": "eng-US", "Url": TRACK, "Format": "webvtt", "Source": "ASR"}],
    },
}


def html(status: int = 0, item: object = ITEM) -> bytes:
    """A page in the form that the site serves them, as far as yt-dlp reads it."""
    detail = {"statusCode": status, "itemInfo": {"itemStruct": item}}
    data = json.dumps({"__DEFAULT_SCOPE__": {"webapp.video-detail": detail}})
    script = f'<script id="__UNIVERSAL_DATA_FOR_REHYDRATION__" type="application/json">{data}</script>'
    return f"<!DOCTYPE html><title>TikTok</title>{script}".encode()


class Proxy:
    """Lets every tunnel lead to one port, whatever host it is for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[str] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.link = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # close alone lets a waiting accept return once more
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connected, _ = self._listening.accept()
                threading.Thread(target=self._tunnel, args=(connected,), daemon=True).start()

    def _tunnel(self, connected: socket.socket) -> None:
        with connected, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)) as behind:
            self.asked.append(connected.recv(65536).decode().split(" ")[1])
            connected.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            threading.Thread(target=_pass_on, args=(behind, connected), daemon=True).start()
            _pass_on(connected, behind)


def _pass_on(here: socket.socket, there: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := here.recv(65536):
            there.sendall(data)
    with contextlib.suppress(OSError):
        there.shutdown(socket.SHUT_WR)


class StandIn:
    """The site with `good` videos that exist, then `gone` and `private` ones. Use as a context manager."""

    def __init__(self, good: int, gone: int = 0, private: int = 0) -> None:
        self.good, self.gone, self.private = self._ids(0, good), self._ids(good, gone), self._ids(good + gone, private)
        self._server = FaultyServer()
        self._proxy = Proxy(self._server.port)
        self._server.answers["/video.mp4"] = lambda talk: talk.whole(video(), Content_Type="video/mp4")
        for ids, status in ((self.gone, 10215), (self.private, 10216)):
            for video_id in ids:
                self.page(video_id, lambda talk, status=status: talk.whole(html(status, {})))  # type: ignore[misc]
        for number, video_id in enumerate(self.good):
            self.page(video_id, _whole(html(0, item(video_id, number))))
            self._server.answers[f"/Z{video_id[-8:]}/"] = _moved(video_id)  # vm.tiktok.com

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._proxy.close()
        self._server.__exit__()

    @property
    def ids(self) -> list[str]:
        """All videos."""
        return [*self.good, *self.gone, *self.private]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead every program to this site."""
        return {
            "https_proxy": self._proxy.link,
            "REQUESTS_CA_BUNDLE": str(self._server.authority),
            "no_proxy": "",
        }

    @property
    def pages(self) -> list[str]:
        """The ids of the videos whose pages were asked for, in order."""
        return [asked.path.rpartition("/")[2] for asked in self._server.asked if "/video/" in asked.path]

    @property
    def asked(self) -> list[str]:
        """All paths that were asked for."""
        return [asked.path for asked in self._server.asked]

    def forget(self) -> None:
        """Forget what was asked for."""
        self._server.asked.clear()

    def page(self, video_id: str, answer: Answer) -> None:
        """Answer with `answer` for the page of a video."""
        self._server.answers[f"/@_/video/{video_id}"] = answer
        self._server.answers[f"/@ada.l_1/video/{video_id}"] = answer

    def answer(self, path: str, answer: Answer) -> None:
        """Answer with `answer` for a path."""
        self._server.answers[path] = answer

    def short_link(self, video_id: str) -> str:
        """A short link to a video that exists."""
        return f"https://vm.tiktok.com/Z{video_id[-8:]}/"

    def export(self) -> dict[str, Any]:
        """TikTok's data export of all videos: a tenth favorites, three tenths likes, the rest history."""
        entries = [{"Date": _date(number), "Link": link(video_id)} for number, video_id in enumerate(self.ids)]
        favorites, likes, history = entries[::10], entries[1::10] + entries[2::10] + entries[3::10], entries
        return {
            "Activity": {
                "Favorite Videos": {"FavoriteVideoList": favorites},
                "Like List": {"ItemFavoriteList": [{"Date": one["Date"], "Link": one["Link"]} for one in likes]},
                "Video Browsing History": {"VideoList": history},
            }
        }

    def export_text(self) -> str:
        """The watch history in the text form of the export."""
        return "\n".join(f"Date: {_date(n)} UTC\nLink: {link(one)}\n" for n, one in enumerate(self.ids))

    @staticmethod
    def _ids(start: int, count: int) -> list[str]:
        return [str(FIRST_ID + number) for number in range(start, start + count)]


def link(video_id: str) -> str:
    """The link to a video as an export gives it."""
    return f"https://www.tiktokv.com/share/video/{video_id}/"


def item(video_id: str, number: int) -> dict[str, Any]:
    """What the page of a video says about it."""
    media: dict[str, object] = ITEM["video"]  # type: ignore[assignment]
    return ITEM | {
        "id": video_id,
        "desc": f"made-up video number {number}",
        "video": media
        | {
            "playAddr": f"https://v16.tiktok.com/video.mp4?{number}",
            "cover": f"https://p16.tiktokcdn.com/cover?{number}",
            "subtitleInfos": [],
        },
    }


def _date(number: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(1_700_000_000 + 7_000 * number))


def _whole(body: bytes) -> Answer:
    return lambda talk: talk.whole(body, Content_Type="text/html")


def _moved(video_id: str) -> Answer:
    return lambda talk: talk.moved(f"https://www.tiktok.com/@ada.l_1/video/{video_id}?_r=1&u_code=secret")


def _written(site: StandIn, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "export.json").write_text(json.dumps(site.export()))
    (folder / "export.txt").write_text(site.export_text())
    (folder / "links.txt").write_text("".join(f"{site.short_link(one)}\n" for one in site.good))


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("good", "gone", "private"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--folder", type=Path, required=True)
    chosen = parser.parse_args(arguments)
    with StandIn(chosen.good, chosen.gone, chosen.private) as site, contextlib.suppress(KeyboardInterrupt):
        _written(site, chosen.folder)
        for name, value in site.environment.items():
            print(f"export {name}={value}", flush=True)
        while True:
            time.sleep(60)
            print(f"# {len(site.pages)} pages asked for", flush=True)


if __name__ == "__main__":
    main()
