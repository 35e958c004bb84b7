"""Where torch computes: on which device, with how many threads, on which cores, and whether in bf16."""

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Literal

from ingest.settings import Device
from scraper.errors import UserError


class DeviceError(UserError):
    """A device does not exist. The message says which do."""


def usable(device: Device) -> Literal["cpu", "cuda", "mps"]:
    """The device, or for "auto" the fastest one: CUDA, else Apple's MPS, else the CPU.

    Raises:
        DeviceError: the device does not exist, or this torch was built without it.
    """
    import torch

    devices = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    found = [name for name, exists in devices.items() if exists]
    if device != "auto" and device not in found:
        raise DeviceError(f"torch cannot compute on {device!r} here, only on {', '.join(found)}")
    return device if device != "auto" else found[0]  # type: ignore[return-value]


def obey_thread_limit() -> None:
    """Limit torch's threads to OMP_THREAD_LIMIT, which people set for Tesseract.

    If the limit is lower than torch's number of threads, OpenMP starts fewer threads than a bf16 product was split
    for, and silently skips the rest of the product: Whisper then writes nonsense. (The encoder notices, because it
    compares its bf16 vectors with fp32, but it becomes slower.)
    """
    import torch

    limit = os.environ.get("OMP_THREAD_LIMIT", "")
    if limit.isdigit() and 0 < int(limit) < torch.get_num_threads():
        torch.set_num_threads(int(limit))


def compute_in_one_thread() -> None:
    """Let torch and FAISS compute in the calling thread alone, when this thread calls them; and numpy in all threads.

    Torch is not imported for that: it takes a second, and the encoders of questions do without it.
    """
    from threadpoolctl import threadpool_limits

    if torch := sys.modules.get("torch"):
        torch.get_num_threads()  # torch sets a thread's number of threads at its first call, so not after the limit
    threadpool_limits(1, user_api="openmp")  # torch.set_num_threads would limit other threads as well
    numpy_in_one_thread()


def numpy_in_one_thread() -> None:
    """Let numpy compute in the calling thread alone, in all threads: its OpenBLAS knows one limit for all. The products
    of a search are small, and OpenBLAS's other threads stay busy after each. What is loaded later has no limit yet."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def threads_on(core: int) -> set[int]:
    """Return the threads of this process that compute on one core only, by their numbers in the system; on Linux."""
    found = set[int]()
    with suppress(AttributeError, OSError):
        for task in Path("/proc/self/task").iterdir():
            with suppress(OSError):  # it has ended
                if os.sched_getaffinity(int(task.name)) == {core}:
                    found.add(int(task.name))
    return found


def compute_elsewhere(thread: int) -> None:
    """Have a thread of this process compute on any core but the one that the caller is on, from now on; on Linux.

    In a virtual machine, a core that has slept for a few milliseconds seems to be taken: Linux then wakes the thread on
    the caller's core, where it waits for up to 10 ms. What the thread starts inherits the cores.

    Args:
        thread: its number in the system.
    """
    # AttributeError: another system or C library. OSError: the thread has ended, or a sandbox forbids it.
    with suppress(AttributeError, OSError):
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(thread, mine - {_libc().sched_getcpu()} or mine)


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def has_bf16() -> bool:
    """Whether the CPU computes in bf16 natively. Then it is two to three times as fast as fp32, else slower."""
    import torch

    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
