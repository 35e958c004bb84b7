"""Whether searches are answered, what is missing, and why nothing can be saved."""

import logging
import os
import shutil
import sqlite3
import time
from functools import lru_cache
from pathlib import Path

from ingest import ocr_packs
from ingest.catalog import Catalog, CatalogError
from ingest.catalog.database import FILE_NAME
from ingest.settings import Settings
from retrieval.server.service import Service
from scraper.disk import LITTLE_BYTES

log = logging.getLogger(__name__)

NO_CATALOG = "There is no catalog, so results have no descriptions. Run `tiktok-retrieval import` to fill one."
BAD_CATALOG = (
    "The catalog cannot be read, so results have no descriptions. Run `tiktok-retrieval check`, and see the server log."
)
FULL = "The disk of the data folder is full. Searches are answered; nothing can be saved. Make room on it."
READ_ONLY = "The data folder is read-only. Searches are answered; nothing can be saved."


def problems(service: Service) -> list[str]:
    """Return what does not work although searches are answered, without the names of folders."""
    found = service.searchers.problems()
    if not (service.data / FILE_NAME).is_file():
        found.append(NO_CATALOG)
    else:
        try:
            with Catalog(service.data, read_only=True) as catalog:
                catalog.removals.hidden()
        except (CatalogError, sqlite3.Error) as error:
            log.warning("the catalog cannot be read: %s", error)
            found.append(BAD_CATALOG)
        else:
            found += filter(None, [_missing_packs(service.data, int(time.monotonic() / ocr_packs.KEPT_S))])
    if service.data.is_dir():
        if not os.access(service.data, os.W_OK):
            found.append(READ_ONLY)
        elif shutil.disk_usage(service.data).free < LITTLE_BYTES:
            found.append(FULL)
    return found


@lru_cache(maxsize=8)
def _missing_packs(data: Path, _: int) -> str:
    """Which of Tesseract's packs the videos need; counted once a minute, because it reads every line of the catalog."""
    with Catalog(data, read_only=True) as catalog:
        return ocr_packs.advice(catalog.browser.languages(), Settings().ocr_languages)
