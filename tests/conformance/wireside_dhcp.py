"""A DHCP server that the test plays by hand, with scapy, and a running `wireside` subcommand as its client.

    with Client("dhcp", "--json") as client:
        discover = client.server.expect("DISCOVER")
        client.server.reply("OFFER", discover)

Messages are scapy's BOOTP layers; option(message, name) reads an option of theirs.
"""
import os
import socket
import subprocess
import tempfile
import time

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether

from wireside_lab import make_tap, remove_tap, wireside_binary

TIME_FACTOR = float(os.environ.get("WIRESIDE_TIME_FACTOR", "1"))
SERVER_MAC, SERVER_IP, GIVEN = "02:99:00:00:00:01", "10.9.0.1", "10.9.0.57"
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20
BROADCAST = "ff:ff:ff:ff:ff:ff"
TYPES = {1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE", 8: "INFORM"}
CODES = {name: code for code, name in TYPES.items()}


def option(message, name):
    """An option's value; all values in a tuple where there are several; None when it is absent."""
    for entry in message[DHCP].options:
        if isinstance(entry, tuple) and entry[0] == name:
            return entry[1] if len(entry) == 2 else entry[1:]
    return None


def kind(message):
    return TYPES[option(message, "message-type")]


class Server:
    """Frames to and from one TAP."""

    def __init__(self, tap):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((tap, 0))
        # The TAP has just got its carrier when the first message comes; its queue begins to work a little later.
        self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        self.answer_arp = True
        self.latest = None

    def receive(self, within):
        """The next DHCP message of the client, as its whole frame; None when the time is over."""
        end = time.monotonic() + within
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                octets, address = self.socket.recvfrom(65536)
            except TimeoutError:
                return None
            if address[2] == 4:  # sent by this side
                continue
            frame = Ether(octets)
            if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == SERVER_IP and self.answer_arp:
                self.send(Ether(dst=frame.src, src=SERVER_MAC) / ARP(
                    op=2, hwsrc=SERVER_MAC, psrc=SERVER_IP, hwdst=frame.src, pdst=frame[ARP].psrc))
            if DHCP in frame:
                return frame
        return None

    def expect(self, wanted, within=6.0):
        while True:
            frame = self.receive(within * TIME_FACTOR)
            assert frame is not None, f"no {wanted} within {within} s"
            again = self.latest is not None and (kind(frame), frame[BOOTP].xid) == (kind(self.latest), self.latest[BOOTP].xid)
            if kind(frame) == wanted or not again:  # on a slow machine the client repeats what is being answered
                break
        self.latest = frame
        assert kind(frame) == wanted, f"{kind(frame)} instead of {wanted}: {frame.summary()}"
        return frame

    def quiet(self, within):
        frame = self.receive(within)
        assert frame is None, f"{kind(frame)} where nothing was expected"

    def send(self, frame):
        self.socket.send(bytes(frame))

    def message(self, what, request, options=None, lease=600, server=SERVER_IP, mask="255.255.255.0", **fields):
        """A reply to `request`. `options`: the whole list instead of the usual one, or more where it begins with "+"."""
        usual = [("message-type", CODES[what]), ("server_id", server)]
        if what != "NAK":
            usual += [("lease_time", lease), ("subnet_mask", mask)]
        if options is None:
            options = usual + ["end"]
        elif options and options[0] == "+":
            options = usual + list(options[1:]) + ["end"]
        values = {"op": 2, "xid": request[BOOTP].xid, "chaddr": request[BOOTP].chaddr,
                  "yiaddr": "0.0.0.0" if what == "NAK" else GIVEN, **fields}
        return BOOTP(**values) / DHCP(options=options)

    def reply(self, what, request, to=None, unicast=True, source=SERVER_IP, **settings):
        bootp = self.message(what, request, **settings)
        self.put(bootp, request.src if unicast else BROADCAST, to or (GIVEN if unicast else "255.255.255.255"), source)

    def put(self, payload, mac, to, source=SERVER_IP):
        self.send(Ether(dst=mac, src=SERVER_MAC) / IP(src=source, dst=to) / UDP(sport=67, dport=68) / payload)

    def lease(self, **settings):
        """Plays the textbook exchange; gives the client's DISCOVER and REQUEST."""
        discover = self.expect("DISCOVER")
        self.reply("OFFER", discover, **settings)
        request = self.expect("REQUEST")
        self.reply("ACK", request, **settings)
        return discover, request


class Client:
    """`wireside SUBCOMMAND` on a TAP of its own."""

    def __init__(self, subcommand, *arguments, address=None):
        self.tap = make_tap()
        self.server = Server(self.tap)
        self.files = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        how = ["--no-acd", *(["--ip", address] if address else ["--dhcp"])]
        self.process = subprocess.Popen(
            [wireside_binary(), subcommand, "--tap", self.tap, "--no-offload", *how, *arguments],
            stdin=subprocess.DEVNULL, stdout=self.files[0], stderr=self.files[1])

    def output(self):
        return [os.pread(f.fileno(), os.fstat(f.fileno()).st_size, 0).decode(errors="replace") for f in self.files]

    def wait_for(self, text, within=6.0):
        """Waits until the text stands in one of the outputs."""
        end = time.monotonic() + within * TIME_FACTOR
        while text not in "".join(self.output()):
            assert time.monotonic() < end, f"{text!r} does not appear in {self.output()}"
            time.sleep(0.02)

    def end(self, within=10.0):
        """(status, output, errors) when it ends by itself."""
        status = self.process.wait(within * TIME_FACTOR)
        return status, *self.output()

    def interrupt(self, within=10.0):
        self.process.send_signal(2)
        return self.end(within)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.server.socket.close()
        remove_tap(self.tap)
        for file in self.files:
            file.close()
