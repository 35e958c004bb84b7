"""The settings of the whole program, from the environment: TIKTOK_RETRIEVAL_DATA=... and so on."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scraper.errors import UserError

Engine = Literal["tesseract", "rapidocr", "auto"]
Device = Literal["auto", "cpu", "cuda", "mps"]
SearchMode = Literal["hybrid", "dense", "keyword"]
FusionMethod = Literal["zscore", "dbsf", "rrf"]
# seen: by when the person last met a video, the latest first
SortOrder = Literal["relevance", "newest", "oldest", "seen"]

PREFIX = "TIKTOK_RETRIEVAL_"
APP_NAME = "tiktok-retrieval"  # the name of its folders in the user data folder and the cache folder


class SettingsError(UserError):
    """A setting has a wrong value; the message names the environment variable or the option."""


class Corpus(BaseModel):
    """One of several corpora: its name on the page, and its two folders."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=60)
    data: Path
    indexes: Path

    @property
    def slug(self) -> str:
        """Its name in addresses: ASCII letters, digits and dashes."""
        from unidecode import unidecode

        return re.sub(r"[^a-z0-9]+", "-", unidecode(self.name).lower()).strip("-")


class Settings(BaseSettings):
    """Every default has its reason next to it. Options on the command line override the environment.

    `data` and `indexes` are ./data and ./indexes if there is a folder ./data or if `data` is given. Otherwise they are
    in the user data folder of the platform.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")

    # "Mine = data/mine | indexes/mine; Study = study", where the last means study/data and study/indexes
    corpora: Annotated[tuple[Corpus, ...], NoDecode] = ()
    data: Path = Path("data")  # the catalog and its media
    indexes: Path = Path("indexes")  # generations and the vector cache
    models: Path | None = None  # unpacked model weights; by default in the user's cache folder
    # Both together find more than either: one reads English well, the other a hundred languages. Small, fast on a CPU,
    # and carried by packages. "A+B" in the environment
    encoder: Annotated[tuple[str, ...], NoDecode] = (
        "sentence-transformers/all-MiniLM-L6-v2",
        "intfloat/multilingual-e5-small",
    )
    vision: str = ""  # a vision model for search by what videos show; none by default, it costs time and disk
    whisper: str = "openai/whisper-base"  # the smallest multilingual model that packages carry
    batch: int = Field(default=8, ge=1)  # windows of 30 s that go through Whisper together
    speech_languages: str = ""  # that Whisper may detect, "en,de"; empty means any
    device: Device = "auto"  # what Whisper computes on
    ocr_engine: Engine = "auto"  # RapidOCR, and Tesseract where that is unsure: finds the most words
    ocr_languages: str = "auto"  # Tesseract's packs joined by "+", or "auto": all that are installed, where needed
    cluster: str = ""  # of Ray, whose nodes read and encode: "auto", "local" or ray://host:10001; empty: this machine
    media: str = ""  # the data folder as its nodes reach it, s3://bucket/folder; empty: in the same place, or sent
    node_media: Path | None = None  # on a node: files that it has fetched; by default in the user's cache folder
    frames: int = Field(default=8, ge=0, le=100)  # read per video for on-screen text: each takes a third of a second
    download_hosts: str = ""  # also allowed, with all their subdomains: "example.org, cdn.example.net"
    download_http: bool = False  # links without TLS: anybody on the way could replace the file
    download_local: bool = False  # links into your local network, which a hostile record could aim at your router
    fetch_limit: int = Field(default=3_000, ge=0)  # videos that `add` fetches without asking: two hours, and 9 GB
    host: str = "127.0.0.1"  # that the page and the API listen on: only this machine
    root_path: str = ""  # under which a proxy forwards requests, such as /videos
    # Addresses under which a proxy offers the page, "https://my.name, http://my.name:8080": other names are refused
    origin: Annotated[tuple[str, ...], NoDecode] = ()
    port: int = Field(default=7860, ge=0, le=65535)  # 0 means any free one
    follow_catalog: bool = True  # a server indexes a few new or changed videos by itself: they are found in seconds
    # Connections at a time. A browser opens six. The second bound does not hold for this machine and for `proxies`.
    max_connections: int = Field(default=1_000, ge=64, le=100_000)
    max_connections_per_address: int = Field(default=100, ge=0)  # 0 means no bound
    proxies: str = "127.0.0.1, ::1"  # whose X-Forwarded-For says where a request comes from
    # what a request to the page and the API must bring, if not everybody who reaches them may read the corpus
    token: str = ""
    user: str = ""
    password: str = ""

    @field_validator("corpora", mode="before")
    @classmethod
    def _parse_corpora(cls, value: Any) -> Any:
        return read_corpora(value) if isinstance(value, str) else value

    @field_validator("encoder", mode="before")
    @classmethod
    def _parse_encoder(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        return tuple(name for given in names for name in model_names(given))

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, value: str) -> str:
        for part in filter(None, map(str.strip, value.split(","))):
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                raise ValueError(f"{part!r} is no address or network, such as 192.168.1.2 or 10.0.0.0/8") from error
        return value

    @field_validator("origin", mode="before")
    @classmethod
    def _parse_origin(cls, value: Any) -> Any:
        given = [value] if isinstance(value, str) else value
        return tuple(_origin(one) for text in given for one in filter(None, re.split(r"[,\s]+", text)))

    @field_validator("root_path")
    @classmethod
    def _parse_root_path(cls, value: str) -> str:
        if value and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", value):
            raise ValueError("it begins with a slash and has letters, digits, dots and dashes, such as /videos")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _default_folders(self) -> Self:
        if self.corpora and not {"data", "indexes"} & self.model_fields_set:  # the first is the usual one
            given = set(self.model_fields_set)
            self.data, self.indexes = self.corpora[0].data, self.corpora[0].indexes
            self.__pydantic_fields_set__ = given
        elif "data" not in self.model_fields_set and not self.data.is_dir():
            given = set(self.model_fields_set)
            folder = platform_folder()
            self.data = folder / "data"
            if "indexes" not in given:
                self.indexes = folder / "indexes"
            self.__pydantic_fields_set__ = given  # they are still defaults
        return self

    @property
    def encoder_given(self) -> bool:
        """Whether the environment or the command line names the encoder."""
        return "encoder" in self.model_fields_set


def _origin(text: str) -> str:
    """Return an address as browsers send it in the Origin header: in lower case, without the usual port.

    Raises:
        ValueError: it is none, or has a path.
    """
    try:
        parts = urlsplit(text.lower())
        port, host = parts.port, parts.hostname or ""
        name = f"[{host}]" if ":" in host else host.encode("idna").decode()
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"{text[:80]!r} is no address, such as https://my.name") from error
    if parts.scheme not in ("http", "https") or not host or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{text[:80]!r} is no address, such as https://my.name")
    if parts.path.strip("/"):
        raise ValueError(f"{text[:80]!r} has a path: give https://my.name here, and the path as --root-path")
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{name}" + (f":{port}" if port not in (None, usual) else "")


def load_settings(**options: Any) -> Settings:
    """Return the settings from the environment, overridden by options that are not None.

    Raises:
        SettingsError: a value is wrong.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        source = f"--{name.replace('_', '-')}" if name in given else f"{PREFIX}{name.upper()} in the environment"
        raise SettingsError(f"{source}: {first['msg']}, got {first['input']!r}") from error


def read_corpora(text: str) -> tuple[Corpus, ...]:
    """Return the corpora in "NAME = DATA | INDEXES; NAME = FOLDER".

    A single folder has the sub-folders `data` and `indexes`. A path may contain colons and backslashes.

    Raises:
        ValueError: one of them is not of this form, or two have the same name or folder.
    """
    found: list[Corpus] = []
    for part in filter(None, map(str.strip, text.split(";"))):
        name, equals, folders = (piece.strip() for piece in part.partition("="))
        data, bar, indexes = (piece.strip() for piece in folders.partition("|"))
        if not (name and equals and data and (indexes or not bar)):
            raise ValueError(f'{part!r} is not of the form "NAME = DATA | INDEXES" or "NAME = FOLDER"')
        folder = Path(data).expanduser()
        one = Corpus(
            name=name,
            data=folder if bar else folder / "data",
            indexes=Path(indexes).expanduser() if bar else folder / "indexes",
        )
        if not one.slug:
            raise ValueError(f"the name {name!r} has no letter or digit")
        for other in found:
            if one.slug == other.slug or one.data == other.data or one.indexes == other.indexes:
                raise ValueError(f"{other.name!r} and {name!r} have the same name or a folder in common")
        found.append(one)
    return tuple(found)


def choose_corpus(name: str) -> None:
    """Let the settings of this process, and of those it starts, be about one of the corpora.

    Raises:
        SettingsError: no corpus has this name.
    """
    corpora = load_settings().corpora
    chosen = next((one for one in corpora if name.strip().casefold() in (one.name.casefold(), one.slug)), None)
    if chosen is None:
        known = f"there are {', '.join(one.name for one in corpora)}" if corpora else f"{PREFIX}CORPORA names none"
        raise SettingsError(f"--corpus: no corpus is called {name!r}; {known}")
    os.environ |= {
        f"{PREFIX}DATA": str(chosen.data),
        f"{PREFIX}INDEXES": str(chosen.indexes),
        f"{PREFIX}CORPORA": "",
    }


def model_names(text: str) -> list[str]:
    """Return the names of the models in "A+B". The path of a folder is one name, whatever it contains.

    Raises:
        ValueError: a name is empty or is there twice.
    """
    if text and Path(text).is_dir():
        return [text]
    names = [name.strip() for name in text.split("+")]
    if not all(names) or len(set(names)) < len(names):
        raise ValueError("it has the names of models, each once, joined by +")
    return names


def default(name: str) -> str:
    """Return a setting's default, as a help text shows it."""
    value = Settings.model_fields[name].default
    return " and ".join(value) if isinstance(value, tuple) else str(value)


def platform_folder() -> Path:
    """Return the folder of this program in the user data folder of the platform."""
    from platformdirs import user_data_path

    return user_data_path(APP_NAME)
