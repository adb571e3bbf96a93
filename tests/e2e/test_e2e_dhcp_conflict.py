"""Addresses that a DHCP server lends though another host has them, and several wireside on one server."""
import re
import socket
import struct
import subprocess
import threading
import time

import pytest

from dhcp_servers import SERVERS
from e2e_support import Wireside, wait_for
from wireside_lab import make_tap, remove_tap, run

MACS = "02:00:5e:00:53:61", "02:00:5e:00:53:62"
DISCOVER, OFFER, REQUEST, DECLINE, ACK = 1, 2, 3, 4, 5


SO_TIMESTAMPNS = 35  # not in Python's socket module


class DhcpWire:
    """What clients send on an interface, from the wire itself: (time, type, fields) of each message."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)  # the kernel's times: this thread may be late
        self.socket.bind((interface, 0x0800))
        self.messages = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            try:
                frame, extra, _, _ = self.socket.recvmsg(2048, 64)
            except OSError:
                return
            if frame[23:24] != b"\x11" or frame[34:38] != struct.pack(">HH", 68, 67):
                continue
            seconds, nanoseconds = struct.unpack("qq", extra[0][2][:16])
            self.messages.append((seconds + nanoseconds * 1e-9, *self.message(frame[26:34], frame[42:])))

    @staticmethod
    def message(addresses, bootp):
        fields = {"source": socket.inet_ntoa(addresses[:4]), "destination": socket.inet_ntoa(addresses[4:]),
                  "ciaddr": socket.inet_ntoa(bootp[12:16]), "mac": bootp[28:34].hex(":")}
        options, at = {}, 240
        while at < len(bootp) and bootp[at] != 255:
            if bootp[at] == 0:
                at += 1
                continue
            options[bootp[at]] = bootp[at + 2:at + 2 + bootp[at + 1]]
            at += 2 + bootp[at + 1]
        for code, name in ((50, "requested"), (54, "server")):
            if code in options:
                fields[name] = socket.inet_ntoa(options[code])
        return options[53][0], fields

    def of_type(self, kind):
        return [(when, fields) for when, what, fields in list(self.messages) if what == kind]

    def close(self):
        self.socket.close()


@pytest.fixture
def wire(lan):
    it = DhcpWire(lan)
    yield it
    it.close()


@pytest.fixture
def taps(lan):
    names = [make_tap() for _ in MACS]
    for name in names:
        run("ip", "link", "set", name, "master", lan)
    yield names
    for name in names:
        remove_tap(name)


@pytest.fixture
def client(taps):
    """Starts subcommands with --dhcp, the first or the second of two; what still runs at the end is killed."""
    started = []

    def start(number, subcommand, *arguments):
        started.append(Wireside(taps[number], subcommand, *arguments, address=("--dhcp", "--mac", MACS[number]), acd=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def second_host(lan):
    """A kernel of its own at the bridge: a namespace with the address that it is told."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    own = f"/proc/{holder.pid}/ns/net"
    try:
        end = time.monotonic() + 5
        while run("readlink", own, check=False).stdout == run("readlink", "/proc/self/ns/net").stdout:
            assert time.monotonic() < end
            time.sleep(0.02)
        run("ip", "link", "add", "second0", "type", "veth", "peer", "name", "second1", "netns", str(holder.pid))
        run("ip", "link", "set", "second0", "master", lan, "up")

        def take(address):
            inside = ("nsenter", f"--net={own}", "ip")
            run(*inside, "address", "add", f"{address}/24", "dev", "second1")
            run(*inside, "link", "set", "second1", "up")
            wait_for_ping(lan, address)

        yield take
    finally:
        holder.kill()
        holder.wait()
        run("ip", "link", "delete", "second0", check=False)


def address_of(process, within=40):
    return re.search(r"(10\.9\.0\.\d+)/24 from DHCP server", wait_for(process, "from DHCP server", within))[1]


def lent_before(process):
    status, out, err = process.end(None, 30)
    assert status == 0, err
    return re.search(r"address    (10\.9\.0\.\d+)/24", out)[1]


@pytest.mark.requirement("DHCP-10", "DHCP-11", "ACD-03")
@pytest.mark.parametrize("make_server", ["dnsmasq", "kea"], indirect=True)  # udhcpd looks for the other host itself
def test_an_address_in_use_is_declined_and_another_taken(make_server, client, second_host, wire, tmp_path):
    server = make_server(first=50, last=60)
    # dnsmasq gives a client the same address again; Kea begins with its first one.
    taken = lent_before(client(0, "dhcp", "--release")) if server.program == "dnsmasq" else server.address(50)
    second_host(taken)
    wire.messages.clear()
    process = client(0, "serve", "--root", str(tmp_path), "--trace")
    address = address_of(process)
    assert address != taken
    (declined_at, decline), = wire.of_type(DECLINE)
    assert decline["requested"] == taken and decline["mac"] == MACS[0]
    assert decline["ciaddr"] == decline["source"] == "0.0.0.0" and decline["destination"] == "255.255.255.255"
    assert decline["server"] == "10.9.0.1"
    later = [when for when, _ in wire.of_type(DISCOVER) if when > declined_at]
    assert later and later[0] - declined_at >= 10, "RFC 2131 section 3.1: ten seconds at least"
    assert not [when for when, _ in wire.of_type(REQUEST) if declined_at < when < later[0]]
    for there in (taken, address):  # the other host was not disturbed
        assert run("ping", "-c", "1", "-W", "2", there, check=False).returncode == 0
    run("curl", "-sf", "-m", "5", "-o", "/dev/null", f"http://{address}/")


@pytest.mark.requirement("DHCP-11")
def test_another_wireside_keeps_the_address_it_has(lan, taps, client, tmp_path):
    """The server does not know of the static one, and lends its address."""
    server = SERVERS["dnsmasq"](lan, tmp_path, first=70, last=73).start()
    holder = None
    try:
        taken = lent_before(client(0, "dhcp", "--release"))
        holder = Wireside(taps[1], "serve", "--root", str(tmp_path), address=("--ip", f"{taken}/24", "--mac", MACS[1]))
        wait_for_ping(lan, taken)
        address = address_of(client(0, "serve", "--root", str(tmp_path)))
        assert address != taken and f"DHCPDECLINE({lan}) {taken} {MACS[0]}" in (tmp_path / "dnsmasq.log").read_text()
        for there in (taken, address):
            run("curl", "-sf", "-m", "5", "-o", "/dev/null", f"http://{there}/")
        assert holder.process.poll() is None
    finally:
        server.stop()
        if holder:
            holder.kill()


def wait_for_ping(lan, address):
    """The host asks anew who has the address."""
    run("ip", "neigh", "flush", "dev", lan)
    end = time.monotonic() + 10
    while run("ping", "-c", "1", "-W", "1", address, check=False).returncode != 0:
        assert time.monotonic() < end, f"{address} does not answer"


@pytest.mark.requirement("DHCP-06")
def test_two_wireside_get_different_addresses(make_server, client, tmp_path):
    make_server(first=50, last=60)
    (tmp_path / "www").mkdir()
    (tmp_path / "www/page").write_text("both serve it\n")
    both = [client(number, "serve", "--root", str(tmp_path / "www")) for number in range(2)]
    addresses = [address_of(process) for process in both]
    assert addresses[0] != addresses[1]
    for address in addresses:
        run("ping", "-c", "1", "-W", "2", address)
        assert run("curl", "-sf", "-m", "5", f"http://{address}/page").stdout == "both serve it\n"
    first, second = (run("ip", "neigh", "show", address).stdout for address in addresses)
    assert MACS[0] in first and MACS[1] in second
    assert all(process.end()[0] == 0 for process in both)
