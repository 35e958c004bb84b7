"""`tiktok-retrieval serve` names an address only if it is the program's."""

import socket

import httpx

import app
from tests.command_line import ENTRY_POINT, REPOSITORY, environment, run
from tests.serving import START_S, served


def test_the_address_that_is_printed_answers_at_once() -> None:
    with served([*ENTRY_POINT, "serve"], environment(), REPOSITORY) as address:
        assert httpx.get(f"{address}openapi.json", timeout=START_S).json()["info"]["title"]


def test_a_port_in_use_is_one_line_and_no_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        done = run("serve", "--port", port)
    assert done.returncode == 1 and done.stdout == ""
    assert f"port {port}" in done.stderr and "--port" in done.stderr and len(done.stderr.splitlines()) == 1


def test_an_address_of_another_machine_is_one_line() -> None:
    done = run("serve", "--host", "192.0.2.1", "--allow-anyone")
    assert done.returncode == 1 and "cannot listen on 192.0.2.1" in done.stderr.splitlines()[-1]


def test_a_name_that_cannot_be_a_host_is_one_line() -> None:
    done = run("serve", "--host", "a" * 64, "--token", "x")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines() == [f"error: cannot listen on {'a' * 64}: not a host name"]


def test_both_families_of_addresses_can_be_listened_on() -> None:
    for host in ("127.0.0.1", "localhost", *(["::1"] if socket.has_ipv6 else [])):
        with app._listening(host, 0) as listener, socket.create_connection(listener.getsockname()[:2], timeout=5):
            pass
