"""Memory that a server no longer uses goes back to the system."""

import platform
import subprocess
import sys

import pytest

from retrieval.server.memory import NEW_OBJECTS

FREED = """
import ctypes
from retrieval.server.memory import give_back

def mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
large = [libc.malloc(100_000) for _ in range(2_000)]
for one in large:
    ctypes.memset(one, 1, 100_000)
kept = large.pop()  # above all others: the C library returns nothing below it by itself
for one in large:
    libc.free(ctypes.c_void_p(one))
before = mb()
give_back()
print(before - mb())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free, and can return it")
def test_memory_that_is_free_goes_back_to_the_system() -> None:
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 100


def test_what_is_loaded_is_excluded_from_garbage_collection_and_what_is_new_is_searched_less_often() -> None:
    code = (
        "import gc, ingest.catalog; from retrieval.server.memory import settle; settle();"
        "print(gc.get_freeze_count(), *gc.get_threshold())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    frozen, new, *older = map(int, done.stdout.split())
    assert frozen > 1_000 and new == NEW_OBJECTS and older == [10, 10]


SERVED = """
import gc, os, socket, threading, time
from retrieval.server import memory
from retrieval.server.connections import Bounds
from retrieval.server.run import run

def wait():
    while not gc.get_freeze_count():
        time.sleep(0.02)
    os._exit(0)

memory.LOADED_S = 0.1
threading.Thread(target=wait).start()
with socket.create_server(("127.0.0.1", 0)) as listener:
    run(lambda *_: None, listener, Bounds(8, 8, ()))
"""


def test_a_server_excludes_what_it_has_loaded() -> None:
    subprocess.run([sys.executable, "-c", SERVED], check=True, timeout=30)
