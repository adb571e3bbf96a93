"""Address conflict detection (RFC 5227) as a user meets it."""
import subprocess
import time

import pytest

from e2e_support import DUT, HOST
from wireside_lab import make_tap, remove_tap, run, wireside_binary


@pytest.fixture
def bridge():
    """A bridge with the host's address, and two TAPs on it."""
    run("ip", "link", "add", "br0", "type", "bridge", "forward_delay", "0", "stp_state", "0")
    run("ip", "address", "add", f"{HOST}/24", "dev", "br0")
    run("ip", "link", "set", "br0", "up")
    taps = [make_tap(), make_tap()]
    for tap in taps:
        run("ip", "link", "set", tap, "master", "br0")
    yield taps
    for name in (*taps, "br0"):
        remove_tap(name)


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(tap, *options):
        command = [wireside_binary(), "serve", "--root", str(tmp_path), "--tap", tap, "--ip", f"{DUT}/24", *options]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def serves(process):
    """Waits until it says so; gives what it had said before."""
    for line in process.stdout:
        if "serving" in line:
            return True
    return False


def mac_on(port):
    """The MAC address that the bridge has learnt at one of its ports."""
    for line in run("bridge", "fdb", "show", "dev", port).stdout.splitlines():
        if "permanent" not in line and "self" not in line:
            return line.split()[0]
    raise AssertionError(f"nobody spoke at {port}")


@pytest.mark.requirement("ACD-01", "ACD-03")
def test_two_with_the_same_address_the_second_finds_the_conflict(bridge, serve):
    first = serve(bridge[0], "--no-acd")
    assert serves(first)
    run("ping", "-c", "1", "-W", "2", DUT)
    second = serve(bridge[1])
    _, err = second.communicate(timeout=15)
    assert second.returncode == 1
    assert f"the address {DUT} is already used by {mac_on(bridge[0])}; choose another with --ip" in err
    assert first.poll() is None
    run("ping", "-c", "1", "-W", "2", DUT)


@pytest.mark.requirement("ACD-04")
def test_two_that_start_at_once_never_both_get_the_address(bridge, serve):
    both = [serve(tap) for tap in bridge]
    end = time.monotonic() + 20
    while time.monotonic() < end and all(process.poll() is None for process in both):
        time.sleep(0.1)
    time.sleep(0.5)
    ended = [process for process in both if process.poll() is not None]
    assert ended and all(process.returncode == 1 for process in ended)
    assert all("is already used by" in process.communicate()[1] for process in ended)


@pytest.mark.requirement("ACD-01", "ACD-07")
def test_a_free_address_is_used_after_some_seconds(bridge, serve):
    begin = time.monotonic()
    process = serve(bridge[0])
    assert serves(process)
    assert time.monotonic() - begin >= 4
    run("ping", "-c", "1", "-W", "2", DUT)
