"""Questions in many languages and scripts, asked of one small corpus by keywords."""

from pathlib import Path

import pytest

from retrieval.embedding.encoder import KeywordOnly, Vectors
from retrieval.index.builder import build
from retrieval.index.documents import document
from retrieval.index.generation import open_current
from retrieval.index.metadata import MetadataIndex
from retrieval.index.video_metadata import VideoMetadata
from retrieval.search.searcher import Searcher
from scraper.records import Video
from tests.retrieval.conftest import entry
from tests.retrieval.fake_encoder import FakeEncoder

# A description for each video; the name in front is its creator and how the tests call it.
DESCRIPTIONS = {
    "hindi": "आज का नाश्ता #पोहा #सुबह",
    "hindi_other": "सुंदर पहाड़ #पहाड़ #सैर",
    "accent": "our little cre\u0302perie #crêpes",
    "camel": "look at this #TinyHouseTour",
    "fox": "一只狐狸在雪地里",
    "pot": "祖母的茶壶很旧",
    "sight": "山上的风景很美",
    "engine": "发动机的声音",  # feng jing, fa dong ji: sounds like others
    "traditional": "我們在臺灣學習書法",
    "katakana": "ﾊﾟﾝｹｰｷを焼く朝",
    "arabic": "قِصَّةُ الثَّعْلَبِ وَالْغُرَابِ",
    "arabic_other": "أسواق المدينة القديمة",
    "hebrew": "שִׁיר עַל הַגֶּשֶׁם",
    "german": "Wir bauen ein Vogelhaus für den Garten und streichen die Wände mit roter Farbe",
    "french": "Comment réparer l'horloge de la grand-mère avec un tournevis et beaucoup de patience",
    "spanish": "Los abuelos cantan canciones antiguas mientras preparan la cena en la cocina",
    "russian": "Бабушка печёт пирожки с капустой и рассказывает старые сказки внукам",
    "emoji": "guess who visited 🦔",
    "waving": "hello from the beach 👋🏿",
    "english": "You don’t need 1,500 g of flour, 3kg of apples or a warm garden for this kate spade cake",
}
THAI = "ตอนเช้าแม่ไปซื้อผักที่ตลาดแล้วกลับมาทำอาหารให้ทุกคนในบ้านกินก่อนไปโรงเรียน" * 3 + "แล้วเห็นนกฮูกบนต้นไม้"


@pytest.fixture(scope="module")
def searcher(tmp_path_factory: pytest.TempPathFactory) -> Searcher:
    folder = tmp_path_factory.mktemp("languages")
    entries = [entry(f"{FIRST + n}", text, name) for n, (name, text) in enumerate(DESCRIPTIONS.items())]
    entries.append(entry(f"{FIRST + len(entries)}", creator="thai", said=[(0, 60, THAI)]))
    build([document(one) for one in entries], folder, KeywordOnly())
    return Searcher(open_current(folder), KeywordOnly())


FIRST = 7300000000000000000
NAMES = [*DESCRIPTIONS, "thai"]


def found(searcher: Searcher, question: str) -> list[str]:
    """Return the names of the videos that have anything of a question, best first."""
    answer = searcher.search(question, 30, mode="keyword")
    return [NAMES[searcher.generation.positions[hit.id]] for hit in answer.hits if hit.explanation or not answer.text]


@pytest.mark.parametrize(
    ("question", "first"),
    [
        ("#पोहा", "hindi"),
        ("#crêpes", "accent"),
        ("#cre\u0302pes", "accent"),
        ("#crepes", "accent"),
        ("tiny house tour", "camel"),
        ("tinyhousetour", "camel"),
        ("#tinyhousetour", "camel"),
        ("狐狸", "fox"),
        ('"狐狸"', "fox"),
        ("风景", "sight"),
        ("風景", "sight"),
        ("台湾", "traditional"),
        ("学习书法", "traditional"),
        ("パンケーキ", "katakana"),
        ("ぱんけーき", "katakana"),
        ("قصة الثعلب", "arabic"),
        ('"قصة الثعلب"', "arabic"),
        ("اسواق", "arabic_other"),
        ("שיר על הגשם", "hebrew"),
        ("נקודה שיר", "hebrew"),
        ("Vogelhäuser", "german"),
        ("Haus Vogel", "german"),
        ("horloges réparées", "french"),
        ("horloge reparer", "french"),
        ("la canción del abuelo", "spanish"),
        ("cancion", "spanish"),
        ("сказка", "russian"),
        ("печет", "russian"),
        ("นกฮูก", "thai"),
        ('"นกฮูก"', "thai"),
        ("🦔", "emoji"),
        ("hedgehog", "emoji"),
        ("Igel", "emoji"),
        ("👋", "waving"),
        ("👋🏻", "waving"),
        ('"dont need"', "english"),
        ("1500g flour", "english"),
        ("3 kg", "english"),
        ('"3 kg of apples"', "english"),
    ],
)
def test_a_question_finds_its_video_first(searcher: Searcher, question: str, first: str) -> None:
    assert found(searcher, question)[:1] == [first]


@pytest.mark.parametrize(
    ("question", "absent"),
    [
        ("#पोहा", "hindi_other"),
        ("湖", "fox"),  # hu, as in 狐
        ('"叉虎"', "pot"),  # cha hu
        ('"風鏡"', "sight"),
        ("#पो", "hindi"),
        ("มา", "katakana"),
        ("اسفل", "thai"),
        ("-狐狸 雪地", "fox"),
        ("cake -🦔", "emoji"),
    ],
)
def test_a_question_does_not_find_what_only_sounds_like_it(searcher: Searcher, question: str, absent: str) -> None:
    assert absent not in found(searcher, question)


@pytest.mark.parametrize(
    "question",
    [
        "Katze",
        "Garten hört",
        "heure",
        "abuela",
        "kaže",
        "gardes",
        "flor",
        "пирожок",
        "הגשמים",
        "खाना",
        "猫咪",
    ],
)
def test_right_words_of_any_language_are_not_corrected(searcher: Searcher, question: str) -> None:
    assert searcher.search(question, 3, mode="keyword").text == question


@pytest.mark.parametrize("question", ['"Katze"', '"hört"', '"heure"'])
def test_no_word_of_another_language_is_offered_for_a_phrase_that_no_video_has(
    searcher: Searcher, question: str
) -> None:
    assert not any("Did you mean" in note for note in searcher.search(question).notes)


def test_a_word_is_offered_for_a_misspelt_one_in_a_phrase(searcher: Searcher) -> None:
    assert "Did you mean vogelhaus" in searcher.search('"Vogelhaas"').notes[0]


@pytest.mark.parametrize(
    ("question", "used"),
    [
        ("the gardn appples", "the garden apples"),
        ("бабушак печёт", "бабушка печёт"),
        ("الثعلت والغراب", "الثَّعْلَبِ والغراب"),
        ("tournevsi et patience", "tournevis et patience"),
    ],
)
def test_a_typo_is_corrected_in_the_letters_of_its_script(searcher: Searcher, question: str, used: str) -> None:
    assert searcher.search(question, 3, mode="keyword").text == used


def test_emoji_that_no_video_has_are_no_good_match(searcher: Searcher) -> None:
    assert not searcher.search("🌋").good


def test_a_keycap_is_no_hashtag() -> None:
    assert Video(id=f"{FIRST}", description="#️⃣ #️⃣1️⃣ #_ #_a").hashtags == ["_a"]


def test_every_hashtag_of_a_record_is_kept_whole() -> None:
    video = Video(id=f"{FIRST}", description="#हिन्दी #ภาษาไทย #cafe\u0301 ＃全角 #a_b #مَرْحَبًا", hashtags=["#Given"])
    assert video.hashtags == ["given", "हिन्दी", "ภาษาไทย", "café", "全角", "a_b", "مَرْحَبًا"]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("L'Atelier 🌸", "latelier"),
        ("Ｍarc.Ｏ", "marco"),
        ("Мария Ёлкина", "мария.елкина"),
        ("🐙🐙", "🐙🐙"),
        ("李電", "李电"),
    ],
)
def test_a_creator_is_found_however_the_name_is_typed(name: str, typed: str) -> None:
    metadata = MetadataIndex.of([VideoMetadata(nickname=name), VideoMetadata(username="other")])
    assert metadata.by_creator(typed).tolist() == [True, False]


class _NearTheFirst(FakeEncoder):
    """An encoder to which every question is about the first video."""

    def query(self, text: str) -> Vectors:
        return super().query("new shoes day" if text == "🐙" else text)


def test_a_video_that_has_the_emoji_comes_before_those_whose_vector_is_near(tmp_path: Path) -> None:
    texts = ["new shoes day", "what hid in the aquarium 🐙", "a walk by the sea"]
    encoder = _NearTheFirst()
    build([document(entry(f"{FIRST + n}", text)) for n, text in enumerate(texts)], tmp_path, encoder)
    searcher = Searcher(open_current(tmp_path), encoder)
    assert searcher.search("🐙", mode="dense").hits[0].id == f"{FIRST}"
    assert searcher.search("🐙").hits[0].id == f"{FIRST + 1}"


def test_where_a_video_has_the_name_of_an_emoji_its_vector_does_not_decide(tmp_path: Path) -> None:
    texts = ["new shoes day", "an octopus hid in the aquarium", "a walk by the sea"]
    encoder = _NearTheFirst()
    build([document(entry(f"{FIRST + n}", text)) for n, text in enumerate(texts)], tmp_path, encoder)
    assert Searcher(open_current(tmp_path), encoder).search("🐙").hits[0].id == f"{FIRST + 1}"
