"""The lists and times of a data export, in every form and language."""

import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.contents import read_text
from scraper.export_lists import place_of
from scraper.parse import File, Problem, Skipped, in_words
from scraper.records import ListKind
from scraper.sidecars import Folder
from scraper.sources import ParsedRecord, read
from scraper.timestamps import timestamp
from tests.scraper.test_sources import write

AT = "2024-03-03 10:00:00"
MET = "2024-03-03T10:00:00"


def share(number: int) -> str:
    return f"https://www.tiktokv.com/share/video/{7_300_000_000_000_000_000 + number}/"


def entry(number: int, date: str = AT) -> dict[str, str]:
    return {"Date": date, "Link": share(number)}


def lists(source: Path) -> dict[int, list[tuple[str, str, str]]]:
    """The lists, times and names of collections of each video, by its number."""
    return {
        int(found.video.id) % 1000: [(one.list, one.at, one.name) for one in found.encounters]
        for found in read(source)
        if isinstance(found, ParsedRecord)
    }


def counted(source: Path) -> dict[str, int]:
    return {found.what: found.count for found in read(source) if isinstance(found, Skipped)}


EXPORT: dict[str, Any] = {
    "Comment": {
        "Comments": {"CommentsList": [{"date": AT, "comment": str(n), "photo": "N/A", "url": ""} for n in range(3000)]}
    },
    "Direct Message": {
        "Direct Messages": {
            "ChatHistory": {
                "Chat History with a friend:": [
                    {"Date": AT, "From": "a friend", "Content": f"look {share(50)}"},
                    {"Date": AT, "From": "me", "Content": share(51)},
                    {"Date": AT, "From": "me", "Content": "ha"},
                ]
            }
        }
    },
    "Likes and Favorites": {
        "Favorite Collection": {"FavoriteCollectionList": [{"Date": AT, "FavoriteCollection": "recipes"}]},
        "Favorite Comment": {"FavoriteCommentList": None},
        "Favorite Effects": {"FavoriteEffectsList": [{"Date": AT, "EffectLink": "https://www.tiktok.com/sticker/x"}]},
        "Favorite Hashtags": {"FavoriteHashtagList": [{"Date": AT, "Link": "https://www.tiktok.com/tag/cats"}]},
        "Favorite Sounds": {"FavoriteSoundList": [{"Date": AT, "Link": "https://www.tiktok.com/music/x-70001"}]},
        "Favorite Videos": {"FavoriteVideoList": [entry(1), entry(2)]},
        "Like List": {"ItemFavoriteList": [{"date": AT, "link": share(1)}, {"date": "x", "link": share(3)}]},
    },
    "Post": {
        "Posts": {
            "VideoList": [
                {"Date": AT, "Link": "https://files.example/abc/video/tos/x/?a=0", "Likes": "12", "Title": "mine"},
                entry(8) | {"Likes": "12", "WhoCanView": "Public", "Title": "my holiday", "Sound": "hum"},
            ]
        }
    },
    "Profile And Settings": {"Profile Info": {"ProfileMap": {"userName": "me", "PlatformInfo": [{"Name": "F"}]}}},
    "TikTok Live": {"Watch Live History": {"WatchLiveMap": {"7512345": {"Link": "https://live.example/x"}}}},
    "Your Activity": {
        "Watch History": {"VideoList": [entry(4), entry(4, "2024-04-04 10:00:00"), entry(4)]},
        "Share History": {
            "ShareHistoryList": [
                {"Date": AT, "SharedContent": "video", "Link": share(6), "Method": "chat"},
                {"Date": AT, "SharedContent": "live", "Link": "https://www.tiktok.com/@x/live", "Method": "chat"},
            ]
        },
        "Reposts": {"RepostList": [entry(7)]},
    },
}


def test_every_list_and_time_of_a_video_is_kept_in_one_record(tmp_path: Path) -> None:
    assert lists(write(tmp_path / "user_data_tiktok.json", EXPORT)) == {
        1: [("favorites", MET, ""), ("likes", MET, "")],
        2: [("favorites", MET, "")],
        3: [("likes", "", "")],
        4: [("history", MET, ""), ("history", "2024-04-04T10:00:00", "")],
        6: [("shares", MET, "")],
        7: [("reposts", MET, "")],
        8: [("posts", MET, "")],
    }


def test_what_is_no_video_is_counted_and_private_messages_are_not_imported(tmp_path: Path) -> None:
    path = write(tmp_path / "user_data_tiktok.json", EXPORT)
    assert counted(path) == {
        "comments": 3000,
        "videos in private chats": 2,
        "messages in private chats": 1,
        "collections": 1,
        "effects": 1,
        "hashtags": 1,
        "sounds": 1,
        "own posts without a link to the video": 1,
        "entries without a link to a video": 1,
        "live streams": 2,
    }
    assert not any(isinstance(found, Problem) for found in read(path))
    words = in_words(found for found in read(path) if isinstance(found, Skipped))
    assert words.startswith("Not imported: comments (3,000), ")


def test_an_own_post_comes_with_its_title_sound_and_author(tmp_path: Path) -> None:
    videos = [found.video for found in read(write(tmp_path / "x.json", EXPORT)) if isinstance(found, ParsedRecord)]
    [post] = [video for video in videos if video.id.endswith("008")]
    assert (post.description, post.music_title, post.likes, post.creator_username) == ("my holiday", "hum", 12, "me")


COLLECTIONS: list[dict[str, Any]] = [
    {"Favorite Collections": {"Recipes": [entry(1)]}},
    {"Favorite Collections": {"Recipes": {"VideoList": [entry(1)]}}},
    {"Favorite Collection": {"FavoriteCollectionList": [{"FavoriteCollection": "Recipes", "VideoList": [entry(1)]}]}},
    {"Favorite Collection": {"FavoriteCollectionList": [entry(1) | {"FavoriteCollection": "Recipes"}]}},
]


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_a_collection_keeps_the_name_that_the_person_gave_it(tmp_path: Path, collection: dict[str, Any]) -> None:
    path = write(tmp_path / "x.json", {"Your Activity": collection})
    assert lists(path) == {1: [("collection", MET, "Recipes")]}


@pytest.mark.parametrize(
    ("document", "name", "expected"),
    [
        ({"ItemFavoriteList": [entry(1)]}, "x.json", "likes"),
        ({"FavoriteVideoList": [entry(1)]}, "x.json", "favorites"),
        ({"VideoList": [entry(1)]}, "Watch History.json", "history"),
        ({"VideoList": [entry(1)]}, "Video Browsing History (2).json", "history"),
        ([entry(1)], "Like List.json", "likes"),
        ([{"date": "x", "link": share(1)}], "Favorite Videos.json", "favorites"),
        ([entry(1)], "Share History.json", "shares"),
        ([entry(1)], "flat-list.json", None),
        (f"Date: {AT} UTC\nLink: {share(1)}\n", "Like List.txt", "likes"),
        (f"Date: {AT}\nVideo Link: {share(1)}\n", "Activity/Video Browsing History.txt", "history"),
        (f"\ufeffDatum: {AT} UTC\nLink: {share(1)}\n\n\n", "Favoriten-Videos.txt", "favorites"),
        (f"Date: {AT} UTC\nShared Content: video\nLink: {share(1)}\nMethod: x\n", "Share History.txt", "shares"),
        (f"Date,Link\n{AT},{share(1)}\n", "Watch History.csv", "history"),
        (json.dumps(entry(1)) + "\n" + json.dumps(entry(1)), "Reposts.ndjson", "reposts"),
    ],
)
def test_the_list_of_a_file_alone_comes_from_its_contents_or_its_name(
    tmp_path: Path, document: object, name: str, expected: str | None
) -> None:
    found = lists(write(tmp_path / name, document))
    assert [[one[0] for one in met] for met in found.values()] == [[expected] if expected else []]


def test_the_text_form_gives_each_entry_and_no_problem(tmp_path: Path) -> None:
    text = "\n\n".join(f"Date: {AT} UTC\nLink: {share(number)}" for number in range(1, 400))
    path = write(tmp_path / "TikTok" / "Your Activity" / "Like List.txt", text)
    assert list(lists(path)) == list(range(1, 400)) and set(map(str, lists(path).values())) == {
        str([("likes", MET, "")])
    }
    assert counted(path) == {} and len(list(read(path))) == 399
    comments = write(tmp_path / "Comments.txt", f"Date: {AT} UTC\nComment: nice\nPhoto: N/A\nURL: \n")
    assert list(read(comments)) == [Skipped(str(comments), "comments", 1)]


def test_a_zip_of_the_text_form_is_read_with_its_folders_and_its_empty_lists(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("TikTok/Your Activity/Like List.txt", f"Date: {AT} UTC\nLink: {share(1)}\n")
        archive.writestr("TikTok/Your Activity/Watch History.txt", f"Date: {AT} UTC\nLink: {share(1)}\n")
        archive.writestr("TikTok/Comment/Comments.txt", f"Date: {AT} UTC\nComment: nice\n")
        archive.writestr("TikTok/Profile/Profile Information.txt", "Username: me\nBirthday: x\n")
        archive.writestr("TikTok/Your Activity/Reposts.txt", "You have no data in this section")
    results = list(read(tmp_path / "x.zip"))
    met = [found.encounters for found in results if isinstance(found, ParsedRecord)]
    assert [[one.list for one in encounters] for encounters in met] == [["likes"], ["history"]]
    skipped = [found for found in results if isinstance(found, Skipped)]
    assert {one.what: one.count for one in skipped} == {"comments": 1, "lists without videos": 1}
    assert len(skipped) == 3 and len(results) == 5


@pytest.mark.parametrize("form", [f">>> Chat History with me::\n{AT} UTC me: {{}}", f"{AT} UTC me: hello {{}}\n"])
def test_private_messages_in_the_text_form_are_counted_and_not_imported(tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "Direct Messages" / "Chat History.txt", form.format(share(1)))
    assert lists(path) == {} and counted(path) == {"videos in private chats": 1}


TRANSLATED: list[tuple[str, str, str, str, str]] = [  # language, and its names of likes, favorites, history, shares
    ("German", "Gefällt mir", "Favoriten-Videos", "Wiedergabeverlauf", "Geteilt-Verlauf"),
    ("French", "Liste de J’aime", "Vidéos favorites", "Historique de visionnage", "Historique de partage"),
    ("Spanish", "Lista de Me gusta", "Vídeos favoritos", "Historial de visualización", "Historial de compartidos"),
    ("Portuguese", "Lista de curtidas", "Vídeos favoritos", "Histórico de visualização", "Compartilhamentos"),
    ("Italian", "Elenco Mi piace", "Video preferiti", "Cronologia visualizzazioni", "Cronologia condivisioni"),
    ("Dutch", "Vind-ik-leuk-lijst", "Favoriete video's", "Kijkgeschiedenis", "Deelgeschiedenis"),
    ("Polish", "Polubienia", "Ulubione filmy", "Historia oglądania", "Historia udostępniania"),
    ("Swedish", "Gilla-lista", "Favoriter", "Visningshistorik", "Delningshistorik"),
    ("Russian", "Список лайков", "Избранные видео", "История просмотров", "Поделились"),
    ("Ukrainian", "Вподобання", "Обрані відео", "Історія переглядів", "Поширення"),
    ("Turkish", "Beğeni Listesi", "Favori Videolar", "İzleme Geçmişi", "Paylaşım Geçmişi"),
    ("Indonesian", "Daftar Suka", "Video Favorit", "Riwayat Tontonan", "Riwayat Bagikan"),
    ("Vietnamese", "Danh sách lượt thích", "Video yêu thích", "Lịch sử xem", "Lịch sử chia sẻ"),
    ("Arabic", "قائمة الإعجابات", "الفيديوهات المفضلة", "سجل المشاهدة", "سجل المشاركة"),
    ("Hindi", "पसंद की सूची", "पसंदीदा वीडियो", "देखने का इतिहास", "शेयर इतिहास"),
    ("Thai", "รายการถูกใจ", "วิดีโอรายการโปรด", "ประวัติการรับชม", "ประวัติการแชร์"),
    ("Korean", "좋아요 목록", "즐겨찾기 동영상", "시청 기록", "공유 기록"),
    ("Japanese", "いいねリスト", "お気に入り動画", "視聴履歴", "シェア履歴"),
    ("Chinese", "点赞列表", "收藏的视频", "观看历史", "分享历史"),
    ("Chinese", "喜歡的影片", "收藏影片", "觀看紀錄", "分享紀錄"),
]


@pytest.mark.parametrize(("language", "likes", "favorites", "history", "shares"), TRANSLATED)
def test_names_of_lists_in_other_languages_are_known(
    language: str, likes: str, favorites: str, history: str, shares: str
) -> None:
    assert [place_of((name,)) for name in (likes, favorites, history, shares)] == [
        *("likes", "favorites", "history", "shares")
    ], language


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Republications", "reposts"),
        ("Yeniden Paylaşımlar", "reposts"),
        ("再投稿", "reposts"),
        ("投稿", "posts"),
        ("Kommentare", "comments"),
        ("Favoriten-Sounds", "sounds"),
        ("Suchverlauf", "searches"),
        ("Likes and Favorites", None),
        ("Something else", None),
    ],
)
def test_a_name_with_the_words_of_several_lists_is_the_more_special_one(name: str, expected: ListKind | None) -> None:
    assert place_of((name,)) == expected


def test_an_export_in_an_unknown_language_is_imported_without_lists_and_without_its_chats(tmp_path: Path) -> None:
    export = {
        "Zzz": {"Qqq": {"VvvLlll": [{"Dddd": AT, "Kkkk": share(1)}]}},
        "Mmm": {"Mmmm": {"Hhhh": {"Hhhh: somebody": [{"Dddd": AT, "Vvv": "me", "Iii": share(2)}]}}},
    }
    path = write(tmp_path / "x.json", export)
    assert lists(path) == {1: []} and counted(path) == {"videos in private chats": 1}


@pytest.mark.parametrize(
    ("shown", "at"),
    [
        ("2026-01-01 10:00:00", "2026-01-01T10:00:00"),
        ("2026-01-01 10:00:00 UTC", "2026-01-01T10:00:00"),
        ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00"),
        ("2026-01-01T10:00:00+02:00", "2026-01-01T08:00:00"),
        ("2026-01-01 10:00:00 +0200", "2026-01-01T08:00:00"),
        ("2026-01-01, 9:05", "2026-01-01T09:05:00"),
        ("2026/1/2 10:00:00", "2026-01-02T10:00:00"),
        ("2026.01.02", "2026-01-02T00:00:00"),
        ("٢٠٢٦-٠١-٠١ ١٠:٠٠:٠٠", "2026-01-01T10:00:00"),
        (1767261600, "2026-01-01T10:00:00"),
        ("1767261600000", "2026-01-01T10:00:00"),
        ("03/05/2026 10:00:00", ""),  # of two meanings
        ("1970-01-01 00:00:00", ""),
        pytest.param((datetime.now(UTC) + timedelta(days=400)).isoformat(), "", id="next-year"),
        ("x", ""),
        ("", ""),
        (None, ""),
        (True, ""),
        (1e300, ""),
    ],
)
def test_times_are_read_as_utc_and_unreadable_ones_are_empty(shown: object, at: str) -> None:
    assert timestamp(shown) == at


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([share(1), AT, "https://vm.tiktok.com/x/", "https://www.tiktok.com/@a", "N/A", "1.5", "[1"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("Date", "Link", "Activity", "ItemFavoriteList", "Like List", "id", "createTime", "create_time"),
                    *("username", "authorMeta", "musicMeta", "videoMeta", "covers", "aweme_id", "aweme_list", "video"),
                    *("statistics", "author", "collector", "data", "videos", "itemList", "source_platform", "url"),
                    *("timestamp_collected", "hashtags", "text", "desc", "description", "likes", "duration", "stats"),
                    *("webVideoUrl", "FavoriteCollection", "voice_to_text", "full_text", "_type", "entries", "item"),
                ]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


def _read(name: str, text: str) -> list[object]:
    path = Path(__file__).with_name(name)
    return list(read_text(File(Path(__file__), Folder(path.parent), str(path)), text))


@settings(max_examples=400, deadline=None)
@given(JSON_VALUES)
def test_no_json_makes_a_reader_fail(value: object) -> None:
    _read("x.json", json.dumps(value))
    _read("x.ndjson", json.dumps(value) + "\n" + json.dumps([value]))
    _read("x.json", json.dumps({"Activity": value, "VideoList": [value]}))
    _read("x.json", json.dumps([{"id": "7300000000000000001", "createTime": "1", "authorMeta": value, "video": value}]))


TEXTS = st.text(max_size=40) | st.sampled_from(
    [share(1), f"Date: {AT}", "Link: x", "tiktok 73", ">>> a", '"', ",", "\t"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(TEXTS, max_size=12).map("\n".join), st.sampled_from(["x.csv", "x.txt", "Like List.txt", "x.tsv", "x"]))
def test_no_text_makes_a_reader_fail(text: str, name: str) -> None:
    _read(name, text)
    _read(name, f"id,url,description,author.name,tags/0\n{text}")
    _read(name, f"Date: {AT}\n{text}")
