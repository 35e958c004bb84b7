"""The names above an entry of a data export, in English or another language -> what the entry is."""

import re
import unicodedata
from functools import lru_cache
from typing import Literal, get_args

from scraper.records import ListKind

# entries that are no videos of the person
Other = Literal[
    "comments", "sounds", "effects", "hashtags", "live streams", "collections", "messages", "searches"
]  # fmt: skip
Place = ListKind | Other
# Names that say something else than their words (what they call item favorites are likes), or nothing.
_EXACT: dict[str, Place | None] = {
    "itemfavoritelist": "likes",
    "likesandfavorites": None,
    "videolist": None,
    **dict.fromkeys(("video", "videos", "post", "posts", "postlist", "recentlydeletedposts"), "posts"),
}
# Words in the names of lists, in lower case and without spaces and signs: English, German, French, Spanish, Portuguese,
# Italian, Dutch, Polish, Swedish, Russian, Ukrainian, Turkish, Indonesian, Vietnamese, Arabic, Hindi, Thai, Korean,
# Japanese, Chinese. The first line of each has the languages in Latin letters.
_WORDS: dict[Place, str] = {
    "comments": "comment kommentar comentari commenti reacties komentarz yorum komentar binhluan"
    " коммент комент تعليق टिप्पणी ความคิดเห็น 댓글 コメント 评论 評論 留言",
    "sounds": "sound sonido audio suoni geluid dzwiek ljud sesler suara amthanh"
    " звук أصوات الصوت ध्वनि เสียง 사운드 소리 サウンド 楽曲 音乐 音樂 声音 聲音",
    "effects": "effect effekt efecto efeito effet efekt efek hieuung"
    " эффект ефект تأثير مؤثر इफ़ेक्ट इफेक्ट เอฟเฟกต์ 효과 エフェクト 特效",
    "hashtags": "hashtag хештег хэштег هاشتاغ هاشتاج हैशटैग แฮชแท็ก 해시태그 ハッシュタグ 话题 話題 标签 標籤",
    "live streams": "tiktoklive livehistory watchlive golive livemap directos aovivo envivo canliyayin tructiep"
    " эфир مباشر लाइव ไลฟ์ 라이브 ライブ 直播",
    "collections": "collection sammlung coleccion colecao colecoes collezion verzameling kolekcj samling koleksi"
    " bosuutap коллекц колекц مجموعة مجموعات संग्रह คอลเลกชัน 컬렉션 コレクション 收藏夹 收藏夾",
    "messages": "message chat nachricht mensaje mensage messaggi berichten wiadomosc meddeland mesaj pesan tinnhan"
    " сообщен повідомлен чаты رسائل دردشة محادث संदेश मैसेज ข้อความ แชท 메시지 채팅 メッセージ チャット 私信 消息 聊天",
    "searches": "search suchverlauf suchanfrag busqueda pesquisa recherche ricerc zoekgeschied wyszukiw sokhistorik"
    " arama pencarian timkiem поиск пошук بحث खोज ค้นหา 검색 検索 搜索 搜尋",
    "reposts": "repost republi ripubblic yenidenpaylas postingulang danglai"
    " репост إعادةالنشر أعادةالنشر रीपोस्ट รีโพสต์ 리포스트 再投稿 リポスト 转发 轉發",
    "favorites": "favorit favourit favoris favori preferit ulubion yeuthich"
    " избранн обран المفضلة पसंदीदा รายการโปรด 즐겨찾기 お気に入り セーブ 收藏",
    "likes": "like gefallt megusta jaime mipiace curti gostei polubi gilla vindikleuk begen suka (?<!yeu)thich"
    " нрав лайк вподоб сподоб إعجاب الاعجاب पसंद(?!ीदा) लाइक ถูกใจ 좋아요 いいね 点赞 點讚 按讚 喜欢 喜歡",
    "history": "watch browsing viewing wiedergabe videoverlauf browserverlauf angesehen historialde(?:vi|re|na)"
    " historicode(?:vi|as|re|na) historiquede(?:vi|le|na) visionnage cronologia(?:dei|delle|di)?(?:vi|na) kijkgeschied"
    " historiaoglad historiaprzegl visningshist tittarhist izleme riwayat(?:tonton|penay|menon) lichsuxem"
    " просмотр перегляд مشاهدة देखने ประวัติการดู ประวัติการรับชม 시청 視聴 观看 觀看 浏览 瀏覽",
    "shares": "share geteilt teilen teilverlauf compart partag condivi gedeeld deelgeschied udostepn delning delade"
    " paylas bagikan chiase подел поширен مشاركة साझा शेयर แชร์ 공유 シェア 共有 分享",
    "posts": "eigenevideos meinevideos beitrage publicaci publicac(?:o|ao) publication pubblicazion posty gonderi"
    " postingan baidang публикац публікац منشورات पोस्ट โพสต์ 게시물 投稿 作品 发布 發布",
}
_NOT_DECOMPOSED = str.maketrans("łđøı", "ldoi")


def _fold(text: str) -> str:
    """`text` in lower case, without the accents of Latin, Greek and Cyrillic letters."""
    parts = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", re.sub("[\u0300-\u036f]", "", parts)).translate(_NOT_DECOMPOSED)


_PATTERNS: dict[Place, re.Pattern[str]] = {
    place: re.compile("|".join(_fold(words).split())) for place, words in _WORDS.items()
}
_GENERIC = re.compile(r"(?:video)?list[ea]?\d*|videos?")  # names of lists that say nothing


@lru_cache(maxsize=4096)
def place_of(names: tuple[str, ...]) -> Place | None:
    """What the entries under these names are; the innermost name that tells decides. None: no name tells."""
    if any(_PATTERNS["collections"].search(_plain(name)) for name in names):
        return "collections"
    for plain in map(_plain, reversed(names)):
        if plain in _EXACT:
            if (place := _EXACT[plain]) is not None:
                return place
            continue
        found = [place for place, pattern in _PATTERNS.items() if pattern.search(plain)]
        first = found[0] if found else None
        # several lists of videos are a section, such as "Likes and Favorites"; a repost is also a post or a share
        if first is not None and (len(found) == 1 or first == "reposts" or first in get_args(Other)):
            return first
    return None


def collection_of(names: tuple[str, ...]) -> str:
    """The name that the person gave to a collection: the innermost one that is not TikTok's. "" if there is none."""
    own = (name for name in reversed(names) if not _GENERIC.fullmatch(_plain(name)))
    name = next(own, "")
    return "" if _PATTERNS["collections"].search(_plain(name)) else name


def _plain(name: str) -> str:
    """A name folded, without spaces and signs, and without the number of a copy: "Like List (1)" is "likelist"."""
    folded = _fold(re.sub(r"\s*\(\d+\)$", "", name[:200]))
    return "".join(sign for sign in folded if sign.isalnum() or unicodedata.category(sign)[0] == "M")
