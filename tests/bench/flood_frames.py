"""Endless frames of three floods against one station: ARP requests, fragments, ICMP. And what they know of it."""
import random
import socket
import struct

ARP, IPV4 = 0x0806, 0x0800
ICMP, TCP, UDP = 1, 6, 17
SENDERS = 1_000_000


def packed(address):
    return socket.inet_aton(address)


def checksum(octets):
    """RFC 1071."""
    if len(octets) % 2:
        octets += b"\0"
    total = sum(struct.unpack(f">{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Target:
    """The station, the host on its link, and the open connection between them."""

    def __init__(self, tap, mac, host_mac, address, host, prefix, port, seed=1):
        self.tap, self.address, self.host = tap, packed(address), packed(host)
        self.ethernet = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex(host_mac.replace(":", ""))
        self.prefix, self.port = prefix, port
        self.random = random.Random(seed)
        self.sequence = 0

    def station(self, number):
        """Another address on the link; the first 2^(32 - prefix) numbers give different ones."""
        width = 32 - self.prefix
        host_part = number * 0x9E3779B1 % (1 << width)
        network = int.from_bytes(self.address, "big") >> width << width
        address = (network | host_part).to_bytes(4, "big")
        taken = address in (self.address, self.host) or host_part in (0, (1 << width) - 1)
        return self.station(number + 12345) if taken else address

    def stranger(self):
        """A source that is not on the link, and neither loopback nor multicast."""
        return bytes((self.random.randint(11, 126), *self.random.randbytes(3)))

    def anybody(self):
        return self.stranger() if self.random.random() < 0.5 else self.station(self.random.getrandbits(24))

    def listen(self):
        """Learns where the connection's sequence numbers are, as somebody on the path could."""
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(IPV4)) as wire:
            wire.bind((self.tap, IPV4))
            wire.settimeout(0.05)
            try:
                for _ in range(200):
                    frame = wire.recv(100)
                    if frame[23] == TCP and frame[26:30] == self.address and frame[34:38] == struct.pack(">HH", 80, self.port):
                        self.sequence = int.from_bytes(frame[38:42], "big")
                        return
            except TimeoutError:
                pass

    def packet(self, source, protocol, payload, identification=0, fragment=0):
        """An IPv4 packet in its frame; `fragment` is the field with the flags."""
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), identification, fragment, 64, protocol, 0,
                             source, self.address)
        return b"".join((self.ethernet, b"\x08\x00", header[:10], checksum(header).to_bytes(2, "big"), header[12:],
                         payload))


def arp(target):
    """Requests for the target's address from SENDERS stations in turn; each sixteenth frame is a gratuitous one."""
    head = b"\xff" * 6
    middle = b"\x08\x06" + struct.pack(">HHBBH", 1, IPV4, 6, 4, 1)
    number = 0
    while True:
        mac = b"\x02\x01" + (number % SENDERS).to_bytes(4, "big")
        address = target.station(number % SENDERS)
        asked = address if number % 16 == 15 and number >= SENDERS else target.address
        yield b"".join((head, mac, middle, mac, address, b"\0" * 6, asked, b"\0" * 18))
        number += 1


MORE = 0x2000


def fragments(target):
    """Datagrams that never become whole, of every unpleasant kind."""
    rnd = target.random
    long, other = b"\x5a" * 1480, b"\xa5" * 1480
    few = [target.stranger() for _ in range(4)]
    number = 0
    while True:
        number += 1
        source, identification = target.anybody(), rnd.getrandbits(16)
        protocol = (UDP, TCP, ICMP, 200)[number % 4]
        kind = number % 8
        if kind <= 1:  # the first one only
            yield target.packet(source, protocol, long, identification, MORE)
        elif kind == 2:  # one from the middle, tiny
            yield target.packet(source, protocol, long[:8], identification, MORE | rnd.randrange(1, 8000))
        elif kind == 3:  # a tiny first one, and one that would write into the transport header
            yield target.packet(source, TCP, long[:8], identification, MORE)
            yield target.packet(source, TCP, long[:16], identification, MORE | 1)
        elif kind == 4:  # overlapping ones
            yield target.packet(source, protocol, long, identification, MORE)
            yield target.packet(source, protocol, other[:800], identification, MORE | rnd.randrange(1, 184))
        elif kind == 5:  # a source that wants more than its share
            yield target.packet(few[number // 8 % 4], UDP, long, number // 8 & 0xFFFF, MORE | 185)
        elif kind == 6:  # past the end of the largest datagram, and a last one without the rest
            yield target.packet(source, protocol, long, identification, 8189)
            yield target.packet(source, protocol, long[:100], identification, rnd.randrange(100, 8000))
        else:  # one datagram of countless pieces
            piece = number // 8
            yield target.packet(few[0], 201, long[:8], piece // 8000 & 0xFFFF, MORE | piece % 8000 + 1)


def quote(target, sequence):
    """The start of a segment of the open connection, as an ICMP error holds it."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 1500, target.random.getrandbits(16), 0x4000, 60, TCP, 0,
                         target.address, target.host)
    return b"".join((header[:10], checksum(header).to_bytes(2, "big"), header[12:],
                     struct.pack(">HHI", 80, target.port, sequence & 0xFFFFFFFF)))


ERRORS = [(3, code) for code in range(16)] + [(4, 0), (11, 0), (11, 1), (12, 0), (5, 0), (5, 1), (5, 2), (5, 3)]


def icmp_message(kind, code, rest, body):
    message = struct.pack(">BBHI", kind, code, 0, rest) + body
    return message[:2] + checksum(message).to_bytes(2, "big") + message[4:]


def icmp(target):
    """Echo requests from everywhere, and errors about the open connection by all who could guess at it."""
    rnd = target.random
    number = 0
    while True:
        if number % 4096 == 0:
            target.listen()
        number += 1
        kind, (error, code) = number % 8, ERRORS[number // 8 % len(ERRORS)]
        rest = rnd.randrange(0, 1600) if (error, code) == (3, 4) else int.from_bytes(target.station(number), "big") \
            if error == 5 else 0
        if kind == 0:
            yield target.packet(target.station(number), ICMP, icmp_message(8, 0, number & 0xFFFFFFFF, b"\x11" * 56))
        elif kind == 1:
            yield target.packet(target.stranger(), ICMP, icmp_message(8, 0, number & 0xFFFFFFFF, b"\x22" * 56))
        elif kind == 2:
            yield target.packet(target.anybody(), ICMP, icmp_message(8, 0, number & 0xFFFFFFFF, b"\x33" * 1400))
        elif kind == 3:  # an error about nothing we know
            yield target.packet(target.anybody(), ICMP, icmp_message(error, code, rest, rnd.randbytes(28)))
        elif kind in (4, 5):  # the right connection, a sequence number by guess: off the path
            sender = target.host if kind == 4 else target.anybody()
            yield target.packet(sender, ICMP, icmp_message(error, code, rest, quote(target, rnd.getrandbits(32))))
        elif kind == 6:  # on the path: the sequence number is, or was a moment ago, in the window
            near = target.sequence + rnd.randrange(-100_000, 200_000)
            yield target.packet(target.host, ICMP, icmp_message(error, code, rest, quote(target, near)))
        else:  # any type at all, errors about errors
            inner = target.packet(target.host, ICMP, icmp_message(3, 1, 0, b""))[14:]
            yield target.packet(target.anybody(), ICMP, icmp_message(rnd.randrange(256), rnd.randrange(16), 0, inner))


FLOODS = {"ARP": arp, "fragments": fragments, "ICMP": icmp}
