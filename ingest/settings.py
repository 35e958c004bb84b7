"""The settings of the whole program, typed, from the environment: TIKTOK_RETRIEVAL_DATA=... and so on."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Every default has its reason beside it; command-line options override the environment."""

    model_config = SettingsConfigDict(env_prefix="TIKTOK_RETRIEVAL_", extra="ignore")

    data: Path = Path("data")  # the catalogue and its media, beside the program
    indexes: Path = Path("indexes")  # generations and the vector cache
    encoder: str = "sentence-transformers/all-MiniLM-L6-v2"  # small, quick on a CPU, carried by a package
    whisper: str = "openai/whisper-base"  # the smallest that speaks every language, carried by packages
    ocr_languages: str = "eng"  # Tesseract's packs joined by "+"; Debian's tesseract-ocr brings eng
    download_hosts: str = ""  # asked besides the site's own, with all names below them: "example.org, cdn.example.net"
    download_http: bool = False  # links without TLS: anybody on the way could put another file in place
    download_local: bool = False  # links into the own network, which a hostile record could aim at your router
