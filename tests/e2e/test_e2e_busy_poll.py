"""Polling before sleeping: an idle endpoint takes no processor time, and --busy-poll answers as ever."""
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest

from e2e_support import DUT
from wireside_lab import run, wireside_binary


def processor_time(process):
    """Seconds so far, of all threads."""
    threads = pathlib.Path(f"/proc/{process.process.pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def used_within(process, seconds):
    before = processor_time(process)
    time.sleep(seconds)
    return processor_time(process) - before


def sleeps(process):
    """How often it has waited in the kernel so far."""
    text = pathlib.Path(f"/proc/{process.process.pid}/status").read_text()
    return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", text, re.MULTILINE).group(1))


def ask_often(times):
    """Round trips over one connection, one after the other."""
    with socket.create_connection((DUT, 80), timeout=10) as connection:
        file = connection.makefile("rb")
        for _ in range(times):
            connection.sendall(b"GET /hello.txt HTTP/1.1\r\nHost: dut\r\n\r\n")
            length = 0
            while (line := file.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert file.read(length) == b"hello over the wire\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hello.txt").write_text("hello over the wire\n")
    return str(tmp_path)


@pytest.mark.parametrize("options", [(), ("--busy-poll", "0"), ("--busy-poll", "500")])
def test_an_idle_endpoint_takes_no_processor_time(wireside, folder, options):
    server = wireside("serve", "--root", folder, options=options).wait_until_up()
    assert used_within(server, 2) < 0.05
    # And just so after work, which may have taught it to poll, with a connection open.
    with socket.create_connection((DUT, 80), timeout=10):
        ask_often(2000)
        time.sleep(0.5)
        assert used_within(server, 2) < 0.05


def test_rare_requests_are_not_polled_for(wireside, folder):
    server = wireside("serve", "--root", folder).wait_until_up()
    before = processor_time(server)
    run("ping", "-q", "-c", "100", "-i", "0.01", DUT)
    assert processor_time(server) - before < 0.1


@pytest.mark.parametrize("poll,least,most", [("50000", 0, 50), ("0", 90, 1000)])
def test_busy_polling_answers_and_does_not_sleep(wireside, folder, poll, least, most):
    server = wireside("serve", "--root", folder, options=("--busy-poll", poll)).wait_until_up()
    out = run("ping", "-f", "-q", "-c", "5000", DUT, timeout=60).stdout
    assert " 0% packet loss" in out
    ask_often(500)
    before = sleeps(server)
    run("ping", "-q", "-c", "100", "-i", "0.01", DUT)
    assert least <= sleeps(server) - before <= most
    time.sleep(0.1)
    assert used_within(server, 1) < 0.05


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a single processor here")
def test_a_single_processor_serves_and_busy_polls(wireside, folder):
    server = wireside("serve", "--root", folder, options=("--busy-poll", "200")).wait_until_up()
    os.sched_setaffinity(server.process.pid, {min(os.sched_getaffinity(0))})
    ask_often(500)


@pytest.mark.parametrize("command", [
    ("serve",), ("ping", "10.9.0.1"), ("traceroute", "10.9.0.1"), ("get", "http://10.9.0.1/"), ("nc", "10.9.0.1", "7"),
    ("agent",), ("dhcp",), ("resolve", "example.com"), ("router", "--tap", "a,ip=10.1.0.1/24", "--tap", "b,ip=10.2.0.1/24")])
@pytest.mark.parametrize("value", ["-1", "1000001", "soon", "1.5", ""])
def test_impossible_times_are_refused(command, value):
    done = subprocess.run([wireside_binary(), *command, "--busy-poll", value], capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 2 and done.stdout == "" and "--busy-poll" in done.stderr and "try:" in done.stderr


def test_the_help_tells_of_it():
    done = subprocess.run([wireside_binary(), "serve", "--help"], capture_output=True, text=True, timeout=20, check=True)
    assert "--busy-poll US" in done.stdout and "[0 - 1000000]" in done.stdout
