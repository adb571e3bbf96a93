"""The wire as the test sees it: raw frames to and from the device, and Peer, a TCP endpoint played by hand.

Sequence numbers are relative: the SYN is 0, the first octet of data is 1, in both directions. Flags are letters:
S F R P A U (plus E C). P is only compared where it is asked for. Options are written as tcpdump prints them:
"mss 1460, sackOK, TS 10 0, nop, wscale 7", "sack 1:5 9:13", or "kind 254 0102" for any other.
"""
import itertools
import os
import queue
import re
import socket
import struct
import threading
import time

from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: F401 (ICMP, UDP: for tests)
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

DUT_IP, PEER_IP, PEER_MAC = "10.9.0.2", "10.9.0.1", "02:99:00:00:00:01"
TIME_FACTOR = float(os.environ.get("WIRESIDE_TIME_FACTOR", "1"))
SO_TIMESTAMPNS = 35
PACKET_OUTGOING = 4
BROADCAST = "ff:ff:ff:ff:ff:ff"
MODERN = "mss 1460, sackOK, TS, nop, wscale 7"  # "TS" alone: the peer's clock and the latest echo


def pattern(count, offset=0):
    """The octets of the agent's "pattern" payload."""
    block = bytes(range(251))
    start = offset % 251
    return (block * ((start + count) // 251 + 1))[start:start + count]


def internet_checksum(octets):
    """RFC 1071; the field itself must be zero in `octets`."""
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame_octets(frame):
    return frame if isinstance(frame, bytes) else bytes(frame)


def parse_options(text, peer=None):
    """Octets of a TCP option list (padded to four octets with zeros) from its written form."""
    octets = b""
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, *values = item.split()
        if name == "mss":
            octets += struct.pack("!BBH", 2, 4, int(values[0]))
        elif name == "wscale":
            octets += struct.pack("!BBB", 3, 3, int(values[0]))
        elif name == "sackOK":
            octets += b"\x04\x02"
        elif name == "TS":
            value, echo = (int(v) for v in values) if values else (peer.ts_now(), peer.ts_recent)
            octets += struct.pack("!BBII", 8, 10, value & 0xffffffff, echo & 0xffffffff)
        elif name == "sack":
            edges = [int(edge) for block in values for edge in block.split(":")]
            base = peer.dut_isn if peer else 0
            octets += struct.pack(f"!BB{len(edges)}I", 5, 2 + 4 * len(edges), *((base + e) % 2**32 for e in edges))
        elif name == "nop":
            octets += b"\x01"
        elif name == "eol":
            octets += b"\x00"
        elif name == "kind":
            body = bytes.fromhex("".join(values[1:]))
            octets += bytes([int(values[0]), 2 + len(body)]) + body
        elif name == "raw":
            octets += bytes.fromhex("".join(values))
        else:
            raise ValueError(f"no option {item!r}")
    return octets + b"\x00" * (-len(octets) % 4)


class Segment:
    """A TCP segment from the device, in the peer's terms: flags, seq, end, ack, length, data, window, options
    ("mss", "wscale", "sackOK", "sack", "TS"), time; frame is the whole as scapy has it."""

    def __init__(self, frame, when, peer):
        tcp = frame[TCP]
        ip = frame[IP]
        self.frame, self.time, self.peer = frame, when, peer
        self.flags = str(tcp.flags)
        header = ip.ihl * 4 + tcp.dataofs * 4
        self.data = frame_octets(ip)[header:ip.len]
        self.length = len(self.data)
        self.raw_seq, self.raw_ack, self.window = tcp.seq, tcp.ack, tcp.window
        if "S" in self.flags:
            peer.dut_isn = tcp.seq
        base = peer.dut_isn
        self.seq = (tcp.seq - base) % 2**32 if base is not None else tcp.seq
        self.ack = (tcp.ack - peer.isn) % 2**32 if "A" in self.flags else None
        self.options = self._read_options(frame_octets(ip)[ip.ihl * 4 + 20:header])

    def _read_options(self, octets):
        options, order = {}, []
        while octets:
            kind = octets[0]
            if kind == 0:
                order.append("eol")
                assert not any(octets), f"octets after EOL are not zero: {octets.hex()} (MUST-69)"
                break
            if kind == 1:
                octets = octets[1:]
                order.append("nop")
                continue
            length = octets[1]
            assert 2 <= length <= len(octets), f"bad option length in {octets.hex()} (MUST-68)"
            body, octets = octets[2:length], octets[length:]
            if kind == 2:
                options["mss"] = struct.unpack("!H", body)[0]
            elif kind == 3:
                options["wscale"] = body[0]
            elif kind == 4:
                options["sackOK"] = True
            elif kind == 5:
                edges = [(e - self.peer.isn) % 2**32 for e in struct.unpack(f"!{len(body) // 4}I", body)]
                options["sack"] = list(zip(edges[::2], edges[1::2]))
            elif kind == 8:
                options["TS"] = struct.unpack("!II", body)
            else:
                options[kind] = body
            order.append(kind)
        self.option_order = order
        return options

    @property
    def end(self):
        """Sequence number after it."""
        return (self.seq + self.length + ("S" in self.flags) + ("F" in self.flags)) % 2**32

    def __str__(self):
        ack = f" ack {self.ack}" if self.ack is not None else ""
        options = f" <{self.options}>" if self.options else ""
        return f"{self.flags} {self.seq}:{self.end}({self.length}){ack} win {self.window}{options}"


class Wire:
    """Frames on the TAP. A reader thread answers ARP for `hosts` and sorts segments to their peers. `tap_socket`: what
    to read and write instead of a packet socket on the interface. `outlived`: the device's connections may outlive the
    test that made them (a kernel repeats the FIN of a socket that nobody holds any more): what comes for the peers of
    an earlier test is no frame of this one."""

    FIRST_PORT = 30000
    ports = itertools.count(FIRST_PORT)  # of all wires: a kernel's closed connection may outlive its module

    def __init__(self, interface, tap_socket=None, outlived=False):
        self.interface = interface
        self.dut_mac = BROADCAST
        self.ip, self.mac = PEER_IP, PEER_MAC
        self.hosts = {PEER_IP: PEER_MAC}  # ARP requests for these are answered
        self.peers = {}
        self.outlived = outlived
        self.first_port = self.FIRST_PORT  # of this test's peers
        self.frames = queue.Queue()       # (time, frame) that belong to no peer
        self.log = []
        self._socket = tap_socket or self._packet_socket(interface)
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    @staticmethod
    def _packet_socket(interface):
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        packets.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        packets.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        packets.bind((interface, 0))
        return packets

    def _read(self):
        while self._open:
            try:
                octets, ancillary, _, address = self._socket.recvmsg(65600, 64)
            except TimeoutError:
                continue
            except OSError:
                return
            if address[2] == PACKET_OUTGOING:
                continue
            when = time.time()
            for _, _, data in ancillary:
                if len(data) == 16:
                    seconds, nanoseconds = struct.unpack("qq", data)
                    when = seconds + nanoseconds / 1e9
            self._sort(Ether(octets), when)

    def _sort(self, frame, when):
        if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst in self.hosts:
            mac = self.hosts[frame[ARP].pdst]
            self.note("<", frame.summary(), when)
            self.send(self.arp(op=2, psrc=frame[ARP].pdst, hwsrc=mac, pdst=frame[ARP].psrc, hwdst=frame[ARP].hwsrc,
                               src=mac, dst=frame.src))
        elif TCP in frame and IP in frame and (frame[IP].dst, frame[TCP].dport) in self.peers:
            peer = self.peers[(frame[IP].dst, frame[TCP].dport)]
            if peer.dut_port is None:
                peer.dut_port = frame[TCP].sport
            segment = Segment(frame, when, peer)
            self.note("<", f"{peer.port} {segment}", when)
            peer.queue.put(segment)
            return
        elif self.outlived and TCP in frame and self.FIRST_PORT <= frame[TCP].dport < self.first_port:
            self.note("<", f"{frame.summary()} (of an earlier test)", when)
            return
        else:
            self.note("<", frame.summary(), when)
        self.frames.put((when, frame))

    def note(self, direction, text, when=None):
        self.log.append((when or time.time(), direction, text))
        del self.log[:-400]

    def transcript(self, count=60):
        """The last frames, for messages of failed tests."""
        if not self.log:
            return "(nothing was on the wire)"
        start = self.log[0][0]
        lines = [f"  {when - start:8.3f} {direction} {text}" for when, direction, text in self.log[-count:]]
        return "the wire, as the peer sees it (> to the device):\n" + "\n".join(lines)

    def restart(self):
        """Forgets peers, frames and log: a new test begins."""
        self.hosts = {PEER_IP: PEER_MAC}
        self.first_port = next(self.ports)
        self.peers.clear()
        self.log.clear()
        self.drain()
        self.introduce()

    def introduce(self, ip=PEER_IP, mac=PEER_MAC):
        """Asks the device for its address, so that it knows ours. The TAP may need a moment after it was opened."""
        for _ in range(15):
            self.drain()
            self.send(self.arp(psrc=ip, hwsrc=mac, src=mac))
            try:
                return self.expect(lambda f: ARP in f and f[ARP].op == 2 and f[ARP].pdst == ip, within=0.2)
            except AssertionError:
                pass
        raise AssertionError(f"the device does not answer ARP\n{self.transcript()}")

    def drain(self):
        while not self.frames.empty():
            self.frames.get_nowait()

    def send(self, frame):
        """A frame, as it is: bytes, or a scapy packet that begins with Ethernet. The time of sending is returned."""
        if isinstance(frame, IP):
            raise TypeError("a frame begins with Ethernet: write wire.packet() / UDP(...), or wire.ether() / IP(...) / ...")
        octets = frame_octets(frame)
        if not isinstance(frame, bytes) and TCP not in frame:
            self.note(">", frame.summary())
        self._socket.send(octets)
        return time.time()

    def arp(self, op=1, psrc=PEER_IP, pdst=DUT_IP, hwsrc=PEER_MAC, hwdst="00:00:00:00:00:00", src=None, dst=BROADCAST,
            **fields):
        return Ether(src=src or hwsrc, dst=dst, type=0x0806) / ARP(op=op, psrc=psrc, pdst=pdst, hwsrc=hwsrc,
                                                                   hwdst=hwdst, **fields)

    def ether(self, **fields):
        return Ether(**{"src": self.mac, "dst": self.dut_mac, "type": 0x0800, **fields})

    def packet(self, **fields):
        """Ethernet and IPv4 headers to the device; fields are IP's."""
        return self.ether() / IP(**{"src": self.ip, "dst": DUT_IP, **fields})

    def expect(self, wanted, what="the frame", within=1.5):
        """The next frame for which wanted(frame) holds; others are passed over. Its time is in .time."""
        end = time.monotonic() + within * TIME_FACTOR
        while True:
            try:
                when, frame = self.frames.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"{what} did not come within {within} s\n{self.transcript()}") from None
            if wanted(frame):
                frame.time = when
                return frame

    def expect_none(self, unwanted, what="a frame", within=0.25):
        """Nothing for which unwanted(frame) holds comes for that long."""
        end = time.monotonic() + within
        while True:
            try:
                _, frame = self.frames.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return
            assert not unwanted(frame), f"{what} should not come: {frame.summary()}\n{self.transcript()}"

    def echo_works(self):
        """The device answers a ping: it is alive and reads what comes."""
        identifier = next(self.ports)
        self.send(self.packet() / ICMP(type=8, id=identifier, seq=1) / b"alive?")
        self.expect(lambda f: ICMP in f and f[ICMP].type == 0 and f[ICMP].id == identifier, "an echo reply", 3)

    def peer(self, dut_port=None, **settings):
        return Peer(self, dut_port, **settings)

    def close(self):
        self._open = False
        self._thread.join(1)
        self._socket.close()


class Peer:
    """A TCP endpoint at the other side of the wire that does only what the test says."""

    def __init__(self, wire, dut_port=None, port=None, ip=None, isn=1000, window=65535, options="mss 1460",
                 ts_base=0x10000000):
        self.wire, self.dut_port, self.isn, self.window = wire, dut_port, isn, window
        self.port = port or next(wire.ports)
        self.ip = ip or wire.ip
        self.syn_options = options
        self.dut_isn = None
        self.seq = 0        # next to send, relative
        self.ack = 0        # next expected from the device, relative
        self.last_window = None
        self.timestamps = False
        self.ts_recent = 0
        self.ts_base = ts_base  # of a millisecond clock
        self.queue = queue.Queue()
        wire.peers[(self.ip, self.port)] = self

    def ts_now(self):
        return (self.ts_base + int(time.monotonic() * 1000)) % 2**32

    def _default_options(self, flags):
        if "S" in flags:
            return self.syn_options
        return "nop, nop, TS" if self.timestamps and "R" not in flags else ""

    def build(self, flags, data=b"", seq=None, ack=None, win=None, options=None, extra_options="", urg=0, ip=None,
              **fields):
        """The frame that send() would send."""
        seq = self.seq if seq is None else seq
        if ack is None:
            ack = self.ack if "A" in flags else 0
            raw_ack = ((self.dut_isn or 0) + ack) % 2**32 if "A" in flags else 0
        else:
            raw_ack = ((self.dut_isn or 0) + ack) % 2**32
        text = self._default_options(flags) if options is None else options
        text = ", ".join(filter(None, (text, extra_options)))
        octets = parse_options(text, self)
        header = struct.pack("!HHIIBBHHH", self.port, self.dut_port, (self.isn + seq) % 2**32, raw_ack,
                             (5 + len(octets) // 4) << 4, sum(1 << "FSRPAUEC".index(f) for f in flags),
                             self.window if win is None else win, 0, urg) + octets
        packet = self.wire.packet(**{"src": self.ip, "proto": 6, **(ip or {})}) / TCP(header)
        for name, value in fields.items():
            setattr(packet[TCP], name, value)
        if "chksum" not in fields:
            packet[TCP].chksum = None
        return packet / Raw(data) if data else packet

    def send(self, flags, data=b"", **how):
        """Sends a segment; what is not given continues the conversation (seq, ack, window, timestamps)."""
        start = self.seq if how.get("seq") is None else how["seq"]
        frame = self.build(flags, data, **how)
        ack = how.get("ack", self.ack if "A" in flags else None)
        self.wire.note(">", f"{self.port} {flags} {start}:{start + len(data)}({len(data)})"
                            f"{'' if ack is None else f' ack {ack}'}"
                            f" win {how.get('win', self.window)} {how.get('options') or ''}")
        when = self.wire.send(frame)
        if start == self.seq:
            self.seq += len(data) + ("S" in flags) + ("F" in flags)
        return when

    def next(self, within=1.5):
        """The next segment from the device, or None."""
        try:
            segment = self.queue.get(timeout=within)
        except queue.Empty:
            return None
        if "TS" in segment.options:
            self.ts_recent = segment.options["TS"][0]
        if "R" not in segment.flags and (segment.seq == self.ack or "S" in segment.flags):
            self.ack = segment.end
        if "A" in segment.flags:
            self.last_window = segment.window
        return segment

    def expect(self, flags, seq=None, ack=None, length=None, data=None, win=None, within=1.5):
        """The next segment, which must be this; gives it."""
        __tracebackhide__ = True
        wanted = f"{flags} seq={seq} ack={ack} length={len(data) if data is not None else length} win={win}"
        segment = self.next(within * TIME_FACTOR)
        assert segment, f"expected {wanted}, but nothing came within {within} s\n{self.wire.transcript()}"
        came = set(segment.flags) - (set() if "P" in flags else {"P"})
        wrong = [name for name, good in (
            ("flags", came == set(flags)),
            ("seq", seq is None or segment.seq == seq % 2**32),
            ("ack", ack is None or segment.ack == ack),
            ("length", length is None or segment.length == length),
            ("data", data is None or segment.data == data),
            ("window", win is None or segment.window == win),
        ) if not good]
        assert not wrong, f"expected {wanted}, got {segment}: {', '.join(wrong)} differ\n{self.wire.transcript()}"
        return segment

    def expect_data(self, octets, start=None, acknowledge=True, within=2.0):
        """Takes `octets` (bytes) in order from `start` on (default: next expected), acknowledging each segment."""
        start = self.ack if start is None else start
        got, segments = b"", []
        while len(got) < len(octets):
            segment = self.next(within * TIME_FACTOR)
            assert segment, f"{len(got)} of {len(octets)} octets came\n{self.wire.transcript()}"
            if segment.length == 0:
                continue
            assert segment.seq == start + len(got), f"a gap or repetition: {segment}\n{self.wire.transcript()}"
            got += segment.data
            segments.append(segment)
            if acknowledge:
                self.send("A", ack=segment.end)
        assert got == octets, f"the octets differ\n{self.wire.transcript()}"
        return segments

    def collect(self, seconds):
        """Every segment that comes in that time."""
        end, segments = time.monotonic() + seconds, []
        while (left := end - time.monotonic()) > 0:
            segment = self.next(left)
            if segment:
                segments.append(segment)
        return segments

    def quiet(self, seconds=0.25):
        """No segment comes for that long."""
        __tracebackhide__ = True
        segment = self.next(seconds)
        assert segment is None, f"expected silence, got {segment}\n{self.wire.transcript()}"

    def drain(self):
        while self.next(0.02):
            pass

    def handshake(self):
        """Opens to the device's listener, with the peer's options."""
        self.send("S")
        syn_ack = self.expect("SA", ack=1)
        self.timestamps = "TS" in syn_ack.options and re.search(r"\bTS\b", self.syn_options) is not None
        self.send("A")
        return syn_ack

    def still_synchronized(self, seq=None):
        """The connection lives: a segment just below the window gets an ACK that tells SND.NXT and RCV.NXT."""
        self.drain()
        self.send("A", seq=(self.seq - 1 if seq is None else seq), data=b"")
        return self.next(0.3)
