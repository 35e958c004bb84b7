"""What torch may compute on: which device, how many threads of the processor, and whether in bf16."""

import os
from typing import Literal

from ingest.settings import Device
from scraper.errors import UserError


class DeviceError(UserError):
    """A device is not there; the message says which are."""


def usable(device: Device) -> Literal["cpu", "cuda", "mps"]:
    """The device itself, or of "auto" the fastest that is there: CUDA, else Apple's MPS, else the processor.

    Raises:
        DeviceError: it is not there, or this torch was built without it.
    """
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    found = [name for name, is_there in there.items() if is_there]
    if device != "auto" and device not in found:
        raise DeviceError(f"torch cannot compute on {device!r} here, only on {', '.join(found)}")
    return device if device != "auto" else found[0]  # type: ignore[return-value]


def obey_thread_limit() -> None:
    """Bring torch's threads within OMP_THREAD_LIMIT, which people set for Tesseract's sake.

    Where the limit is lower than the number torch counts on, OpenMP starts fewer threads than a bf16 product was split
    for, and the rest of the product is left out without a word: Whisper then writes nonsense. (The encoder notices, for
    it compares its bf16 vectors with fp32, but is slower by it.)
    """
    import torch

    limit = os.environ.get("OMP_THREAD_LIMIT", "")
    if limit.isdigit() and 0 < int(limit) < torch.get_num_threads():
        torch.set_num_threads(int(limit))


def has_bf16() -> bool:
    """Whether the processor computes in bf16 natively: two to three times as fast as fp32 then, else slower."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
