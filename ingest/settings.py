"""The settings of the whole program, typed, from the environment: TIKTOK_RETRIEVAL_DATA=... and so on."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Engine = Literal["tesseract", "rapidocr", "auto"]

Device = Literal["auto", "cpu", "cuda", "mps"]


class Settings(BaseSettings):
    """Every default has its reason beside it; command-line options override the environment."""

    model_config = SettingsConfigDict(env_prefix="TIKTOK_RETRIEVAL_", extra="ignore")

    data: Path = Path("data")  # the catalogue and its media, beside the program
    indexes: Path = Path("indexes")  # generations and the vector cache
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"  # small, quick on a CPU, carried by a package
    whisper: str = "openai/whisper-base"  # the smallest that speaks every language, carried by packages
    speech_languages: str = ""  # that Whisper may hear, "en,de"; empty is any
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # what Whisper computes on
    ocr_engine: Engine = "tesseract"  # "rapidocr" reads stylised words too, "auto" asks it where Tesseract is unsure
    ocr_languages: str = "eng"  # Tesseract's packs joined by "+", or "auto"; Debian's tesseract-ocr brings eng
    # of a video that are read for words on the screen: each takes a third of a second
    frames: int = Field(default=8, ge=0, le=100)
    download_hosts: str = ""  # asked besides the site's own, with all names below them: "example.org, cdn.example.net"
    download_http: bool = False  # links without TLS: anybody on the way could put another file in place
    download_local: bool = False  # links into the own network, which a hostile record could aim at your router
    # of the page and the API: what a request must bring, where not everybody on this machine is to read the corpus
    token: str = ""
    user: str = ""
    password: str = ""
