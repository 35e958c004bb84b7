"""Texts of a word or three, in the encodings that programs write besides Unicode."""

_TEXTS = {
    ("cp1252",): """
        10 € | 5 € please | café | un café | Crème brûlée | ¿Qué? | ¡Hola! | mañana | niño | Köln | Straße |
        Größe 38 | für dich | schön | déjà vu | naïve | It’s | “quoted” | Jürgen | São Paulo | ação | Übung
        | Fußball | 21 °C | Ça va ? | garçon | forêt | Æblekage | Smörgås | år | blåbær | ½ cup | £5 | ©
        2024 | Tromsø | mère | L’été à la plage | ¿Cómo estás? | El Niño | coração | olá | não | Frühstück |
        Mädchen | über | Österreich | crêpes à Noël | hôtel | Zoë | piñata | jalapeño
    """,
    ("cp1250",): """
        Łódź | żółw | Zażółć gęślą jaźń | dziękuję | Dobrý den | šťastný | kůň | Příliš žluťoučký kůň |
        čeština | Škoda | jahůdka | Děkuji | mačka | ljubav šećer | Čaj s mlékem | pączki | Gdańsk | święta
        | piękny dzień | Kraków | życie | szczęście | żurek
    """,
    ("iso-8859-2",): """
        Łódź | żółw | Zażółć gęślą jaźń | dziękuję | šťastný | kůň | Příliš žluťoučký kůň | čeština | pączki
        | święta | Gdańsk
    """,
    ("cp1251", "koi8-r", "iso-8859-5", "cp866"): """
        Привет | привет мир | Москва | как дела? | спасибо | кот и собака | Рецепт борща | Доброе утро | моя
        бабушка | хорошо | Смешной кот | новый год | да | нет | ПРИВЕТ | Что это? | люблю тебя | танцы |
        видео дня | Учительница потеряла зонт
    """,
    ("cp1251",): """
        Добър ден | обичам те | Київ | їжак
    """,
    ("cp1253",): """
        Καλημέρα | ευχαριστώ | Η Αθήνα | γάτα | καλό | τι κάνεις;
    """,
    ("cp1254",): """
        Günaydın | teşekkürler | İstanbul | ağaç | çok güzel | kedi ve köpek şimdi | ışık
    """,
    ("cp1255",): """
        שלום | בוקר טוב | תודה | מה שלומך? | ירושלים
    """,
    ("cp1256",): """
        مرحبا | صباح الخير | شكرا | القطة | كيف حالك؟ | السلام عليكم
    """,
    ("gb18030",): """
        你好 | 谢谢 | 早上好 | 北京 | 猫 | 我爱你 | 今天天气很好 | 老师在电车上 | 好吃的面条 | 中国
    """,
    ("big5",): """
        你好 | 謝謝 | 早安 | 台北 | 我愛你 | 今天天氣很好 | 老師在電車上 | 好吃的麵
    """,
    ("cp932",): """
        こんにちは | ありがとう | 猫 | 東京 | おはよう | 今日は | ラーメン | 先生は電車で | かわいい猫です | 日本
    """,
    ("euc-jp",): """
        こんにちは | ありがとう | 東京 | おはよう | ラーメン | かわいい猫です
    """,
    ("cp949",): """
        안녕하세요 | 감사합니다 | 서울 | 고양이 | 사랑해 | 좋은 아침 | 떡볶이
    """,
    ("cp874",): """
        สวัสดี | ขอบคุณ | แมว | กรุงเทพ | ครูทำร่มหาย
    """,
    ("cp1257",): """
        ačiū | Labas rytas, šuo | žuvis | paldies, lūdzu
    """,
}
SHORT = {encodings: [" ".join(text.split()) for text in texts.split("|")] for encodings, texts in _TEXTS.items()}
