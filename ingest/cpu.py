"""What torch may do on this machine's processor: how many threads, and whether in bf16."""

import os


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
