"""What the command line does with output that cannot be written, signals, and values that make no sense."""
import json
import pathlib
import signal
import socket
import subprocess
import time

import pytest

from e2e_support import DUT, HOST
from wireside_lab import run, wireside_binary

SIM = str(next((pathlib.Path(__file__).resolve().parents[2] / "docs" / "scenarios").glob("third-segment.sim")))


def command(*arguments, stdin="", full=None, **options):
    """The command with standard output or standard error (`full`) at a device that is always full."""
    with open("/dev/full", "wb") as device:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **({full: device} if full else {})}
        return subprocess.run([wireside_binary(), *map(str, arguments)], input=stdin, text=True, timeout=30, **streams,
                              **options)


def endpoint(tap):
    return ("--tap", tap, "--ip", f"{DUT}/24", "--no-acd")


@pytest.mark.parametrize("subcommand, arguments, status", [
    ("ping", ("-c", "1", "-v", HOST), 0), ("get", ("--trace", f"http://{HOST}:9/"), 1), ("dance", (), 2),
    ("ping", ("-c", "1", "192.0.2.1"), 1), ("traceroute", ("--trace", "-q", "1", HOST), 0)])
def test_a_full_standard_error_ends_nothing(tap, subcommand, arguments, status):
    where = endpoint(tap) if subcommand != "dance" else ()
    assert command(subcommand, *where, *arguments, full="stderr").returncode == status


def test_a_full_standard_error_does_not_end_dhcp(tap):
    assert command("dhcp", "--tap", tap, "--timeout", "0.3", full="stderr").returncode == 1


@pytest.mark.parametrize("arguments", [
    ("--help",), ("--version",), ("ss", "--help"), ("ping", "--version"), ("sim", SIM)], ids=" ".join)
def test_output_that_is_lost_is_a_failure(arguments):
    done = command(*arguments, full="stdout")
    assert done.returncode == 1
    assert done.stderr.count("cannot write to standard output: No space left on device") == 1, done.stderr


@pytest.mark.parametrize("subcommand, arguments", [
    ("ping", ("-c", "1", HOST)), ("traceroute", (HOST,)), ("resolve", ("--short", "10.9.0.1")), ("agent", ())])
def test_output_of_an_endpoint_that_is_lost_is_a_failure(tap, subcommand, arguments):
    done = command(subcommand, *endpoint(tap), *arguments, stdin='{"op":"list"}\n', full="stdout")
    assert done.returncode == 1
    assert done.stderr.count("cannot write to standard output: No space left on device") == 1, done.stderr


def test_a_server_whose_log_is_full_says_so_once_and_goes_on(tap, tmp_path):
    (tmp_path / "a.txt").write_text("still there\n")
    with open("/dev/full", "wb") as full:
        server = subprocess.Popen([wireside_binary(), "serve", *endpoint(tap), "--root", str(tmp_path)], stdout=full,
                                  stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(3):
            got = run("curl", "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "20",
                      f"http://{DUT}/a.txt", timeout=30).stdout
            assert got == "still there\n"
        server.terminate()
        _, err = server.communicate(timeout=10)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 1 and err.count("cannot write to standard output") == 1, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_traceroute_has_not_reached_the_host(wireside, tap, number):
    process = wireside("traceroute", "-w", "30", "10.9.0.77")
    time.sleep(0.7)
    status, _, _ = process.end(number)
    assert status == 1


def test_sighup_ends_a_server_as_sigterm_does(wireside, tap, tmp_path, sockets):
    server = wireside("serve", "--root", str(tmp_path)).wait_until_up()
    assert list(sockets.glob("*.sock"))
    status, out, err = server.end(signal.SIGHUP)
    assert status == 0 and "shutting down" in out, err
    assert not list(sockets.glob("*.sock"))


def test_an_ignored_sighup_stays_ignored(tap, tmp_path):
    server = subprocess.Popen(["nohup", wireside_binary(), "serve", *endpoint(tap), "--root", str(tmp_path)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.7)
        server.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert server.poll() is None
        server.terminate()
        assert server.wait(10) == 0
    finally:
        server.kill()
        server.wait()


def test_a_signal_ends_a_simulation_with_its_summary(tmp_path):
    scenario = tmp_path / "long.sim"
    scenario.write_text("stop 3600s\nhost a\nhost b\nlink a b both=rate=1gbit,delay=1ms\nflow f a b for=3599s\n")
    process = subprocess.Popen([wireside_binary(), "sim", "-j", str(scenario)], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    process.terminate()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 1 and "interrupted" in err, err
    (flow,) = json.loads(out)["flows"]
    assert flow["octets"] > 0


@pytest.mark.parametrize("arguments", [
    ("ping", "-i", "nan", HOST), ("ping", "-W", "nan", HOST), ("ping", "-w", "nan", HOST), ("dhcp", "--timeout", "nan"),
    ("serve", "--reassembly-timeout", "nan"), ("traceroute", "-w", "nan", HOST)], ids=" ".join)
def test_nan_is_in_no_range(arguments):
    done = command(*arguments)
    assert done.returncode == 2 and "'nan' is not a number from" in done.stderr, done.stderr


@pytest.mark.parametrize("option", ["--pcapng", "--impair", "--impair-in", "--impair-out", "--hostname", "--lease-file",
                                    "--control"])
def test_an_empty_value_is_refused(option):
    address = ("--dhcp",) if option in ("--hostname", "--lease-file") else ("--ip", f"{DUT}/24")
    done = command("serve", *address, option, "")
    assert done.returncode == 2 and f"{option}: the value is empty" in done.stderr, done.stderr


@pytest.mark.parametrize("arguments, text", [
    (("ping", "--ip", f"{DUT}/24", "--tap", "a/b", HOST), "cannot name an interface"),
    (("ping", "--ip", f"{DUT}/24", "--tap", ".", HOST), "cannot name an interface"),
    (("ping", "--ip", f"{DUT}/24", "--tap", "a" * 16, HOST), "too long"),
    (("ping", "--ip", f"{DUT}/24", "--tap-fd", "55", HOST), "descriptor 55"),
    (("router", "--tap", "a/b,ip=10.1.0.1/24", "--tap", "c,ip=10.2.0.1/24"), "cannot name an interface"),
    (("bridge", "tap7", "a/b"), "cannot name an interface"),
    (("serve", "--ip", f"{DUT}/24", "--control", "/tmp/" + "x" * 120), "107 octets at most"),
    (("agent", "--ip", f"{DUT}/24", "--socket", "/tmp/" + "x" * 120), "107 octets at most")])
def test_a_value_that_no_device_or_path_can_have_has_status_two(arguments, text):
    done = command(*arguments)
    assert done.returncode == 2 and text in done.stderr and "try:" in done.stderr, done.stderr


@pytest.mark.parametrize("subcommand", ["ping", "get", "traceroute", "resolve", "sim", "router", "bridge", "ss"])
def test_an_unknown_option_is_named_first(subcommand):
    done = command(subcommand, "--bogus")
    assert done.returncode == 2 and "there is no option '--bogus'" in done.stderr, done.stderr


def test_what_is_missing_is_still_named():
    assert "destination is required" in command("ping").stderr
    assert "'abc' is not a whole number from 1 to 65535" in command("serve", "--port", "abc").stderr


@pytest.mark.parametrize("subcommand, arguments, remedy", [
    ("get", ("http://192.0.2.1/",), "--gateway"), ("nc", ("192.0.2.1", "7"), "--gateway"),
    ("traceroute", ("192.0.2.1",), "--gateway"), ("get", (f"http://{HOST}:9/",), "another port"),
    ("nc", (HOST, "9"), "another port"), ("ping", ("0.0.0.0",), "10.0.0.1"),
    ("serve", ("--pcap", "/nonexistent/x"), "--pcap with a file")])
def test_failures_have_remedies(tap, subcommand, arguments, remedy):
    done = command(subcommand, *endpoint(tap), *arguments)
    assert done.returncode == 1 and "try:" in done.stderr and remedy in done.stderr, done.stderr


@pytest.mark.parametrize("path", ["/tmp", "/nonexistent"])
def test_a_scenario_that_cannot_be_read_has_a_remedy(path):
    done = command("sim", path)
    assert done.returncode == 1 and "try:" in done.stderr and "docs/sim.md" in done.stderr, done.stderr


def test_time_wait_shows_only_what_is_known(wireside, tap, tmp_path):
    server = wireside("serve", "--root", str(tmp_path)).wait_until_up()
    with socket.create_connection((DUT, 80), timeout=5) as client:  # the server closes first
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        while client.recv(65536):
            pass
    end = time.monotonic() + 5
    while not (shown := [c for c in json.loads(run(wireside_binary(), "ss", "-aj").stdout) if c["state"] == "TIME-WAIT"]):
        assert time.monotonic() < end, server.output()[1]
        time.sleep(0.05)
    assert isinstance(shown[0]["timer_ms"], int) and shown[0]["timer_ms"] > 50_000
    assert set(shown[0]["info"]) == {"connection", "local", "peer", "state", "snd_nxt", "rcv_nxt"}
    line = next(t for t in run(wireside_binary(), "ss", "-aio").stdout.splitlines() if "TIME-WAIT" in t)
    assert "timer:(timewait," in line and "mss" not in line
