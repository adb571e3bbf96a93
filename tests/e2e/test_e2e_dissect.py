"""`wireside dissect`: the places and values that tshark finds in the same frames, live frames, and its errors."""
import fcntl
import json
import os
import re
import struct
import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.sendrecv import sendp
from scapy.utils import wrpcap, wrpcapng

from e2e_support import DUT, HOST
from wireside_lab import run, wireside_binary

ETHER = Ether(src="02:00:5e:00:53:01", dst="52:54:00:12:34:56")
WIDE = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (7, 9)), ("NOP", None), ("WScale", 10)]
FRAMES = [
    ETHER / ARP(op=1, hwsrc="02:00:5e:00:53:01", psrc=DUT, pdst=HOST),
    ETHER / Dot1Q(vlan=7, prio=3) / IP(src=DUT, dst=HOST, tos=0xb8) / ICMP(id=3, seq=4) / (b"x" * 40),
    ETHER / IP(src=DUT, dst=HOST, id=0x1234, flags="DF") / TCP(sport=50000, dport=80, seq=1 << 31, flags="S", options=WIDE),
    ETHER / IP(src=DUT, dst=HOST) / TCP(sport=80, dport=50000, ack=77, flags="A", window=63,
                                        options=[("NOP", None), ("NOP", None), ("SAck", (1000, 2000, 5000, 6000))]),
    ETHER / IP(src=DUT, dst=HOST, options=[IPOption(b"\x94\x04\0\0")]) / TCP(flags="PAU", urgptr=5) / b"GET / HTTP/1.1\r\n",
    ETHER / IP(src=DUT, dst=HOST, flags="MF", frag=0) / UDP(sport=9, dport=9) / (b"y" * 64),
    ETHER / IP(src=DUT, dst=HOST, frag=9) / (b"z" * 30),
    ETHER / IP(src=HOST, dst=DUT) / ICMP(type=3, code=4, nexthopmtu=1400) / IP(src=DUT, dst="192.0.2.1") / TCP(dport=443),
    ETHER / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) / BOOTP(chaddr=b"\2\0\x5e\0\x53\1", xid=99) /
    DHCP(options=[("message-type", "discover"), ("param_req_list", [1, 3, 6]), ("hostname", b"here"), "end"]),
    ETHER / IP(src=HOST, dst=DUT) / UDP(sport=53, dport=4000) /
    DNS(id=77, qr=1, qd=DNSQR(qname="www.example.com"), an=DNSRR(rrname="www.example.com", rdata="192.0.2.7", ttl=60)),
]
# Our fields by layer, and tshark's.
SAME = {
    ("Ethernet", "destination"): "eth.dst", ("Ethernet", "source"): "eth.src",
    ("IEEE 802.1Q tag", "VLAN"): "vlan.id", ("IEEE 802.1Q tag", "priority"): "vlan.priority",
    ("ARP", "operation"): "arp.opcode", ("ARP", "sender protocol"): "arp.src.proto_ipv4",
    ("ARP", "target hardware"): "arp.dst.hw_mac",
    ("IPv4", "version"): "ip.version", ("IPv4", "DSCP"): "ip.dsfield.dscp", ("IPv4", "total length"): "ip.len",
    ("IPv4", "identification"): "ip.id", ("IPv4", "DF"): "ip.flags.df", ("IPv4", "MF"): "ip.flags.mf",
    ("IPv4", "TTL"): "ip.ttl", ("IPv4", "protocol"): "ip.proto", ("IPv4", "checksum"): "ip.checksum",
    ("IPv4", "source"): "ip.src", ("IPv4", "destination"): "ip.dst",
    ("ICMP", "type"): "icmp.type", ("ICMP", "code"): "icmp.code", ("ICMP", "checksum"): "icmp.checksum",
    ("ICMP", "next-hop MTU"): "icmp.mtu",
    ("TCP", "source port"): "tcp.srcport", ("TCP", "destination port"): "tcp.dstport",
    ("TCP", "sequence number"): "tcp.seq_raw", ("TCP", "acknowledgment number"): "tcp.ack_raw",
    ("TCP", "SYN"): "tcp.flags.syn", ("TCP", "ACK"): "tcp.flags.ack", ("TCP", "URG"): "tcp.flags.urg",
    ("TCP", "PSH"): "tcp.flags.push", ("TCP", "window"): "tcp.window_size_value", ("TCP", "checksum"): "tcp.checksum",
    ("TCP", "urgent pointer"): "tcp.urgent_pointer", ("TCP", "MSS"): "tcp.options.mss_val",
    ("TCP", "shift"): "tcp.options.wscale.shift", ("TCP", "TSval"): "tcp.options.timestamp.tsval",
    ("TCP", "TSecr"): "tcp.options.timestamp.tsecr", ("TCP", "left edge"): "tcp.options.sack_le",
    ("UDP", "source port"): "udp.srcport", ("UDP", "length"): "udp.length", ("UDP", "checksum"): "udp.checksum",
    ("DHCP", "op"): "dhcp.type", ("DHCP", "xid"): "dhcp.id", ("DHCP", "client hardware"): "dhcp.hw.mac_addr",
    ("DHCP", "magic cookie"): "dhcp.cookie",
    ("DNS", "identifier"): "dns.id", ("DNS", "questions"): "dns.count.queries", ("DNS record", "address"): "dns.a",
}


def dissect(*arguments, stdin=None):
    return subprocess.run([wireside_binary(), "dissect", *map(str, arguments)], input=stdin, capture_output=True, timeout=30,
                          check=False)


def ours(frame):
    """(layer, field) -> [(octet, octets, number, bits)]"""
    found = {}
    octets = bytes.fromhex(frame["hex"])
    for layer in frame["layers"]:
        for field in layer["fields"]:
            first, end = field["bit"], field["bit"] + field["bits"]
            number = int.from_bytes(octets, "big") >> (8 * len(octets) - end) & ((1 << field["bits"]) - 1)
            place = (first // 8, (end + 7) // 8 - first // 8, number, field["bits"])
            found.setdefault((layer["title"], field["name"]), []).append(place)
    return found


def theirs(packet):
    """tshark's field -> [(octet, octets, number)]; what it computed and did not read has no octets."""
    found = {}
    for field in packet.iter("field"):
        if field.get("value") and field.get("name") in SAME.values():
            found.setdefault(field.get("name"), []).append(
                (int(field.get("pos")), int(field.get("size")), int(field.get("value"), 16), field.get("show")))
    return found


@pytest.mark.parametrize("write", [wrpcap, wrpcapng], ids=["pcap", "pcapng"])
def test_the_places_and_values_are_those_of_tshark(write, tmp_path):
    capture = tmp_path / "frames.pcap"
    write(str(capture), FRAMES)
    done = dissect(capture, "--json", "--lang", "en")
    assert done.returncode == 0, done.stderr
    frames = [json.loads(line) for line in done.stdout.splitlines()]
    pdml = run("tshark", "-r", capture, "-T", "pdml", "-o", "tcp.relative_sequence_numbers:false").stdout
    packets = list(ElementTree.fromstring(pdml).iter("packet"))
    assert len(frames) == len(packets) == len(FRAMES)
    compared = set()
    for sent, frame, packet in zip(FRAMES, frames, packets):
        assert frame["hex"] == bytes(sent).hex()
        mine, other = ours(frame), theirs(packet)
        for name, places in mine.items():
            if name in SAME and SAME[name] in other:
                compared.add(name)
                octet, octets, number, bits = places[0]
                position, size, value, shown = other[SAME[name]][0]
                if bits % 8 == 0:
                    assert (octet, octets, number) == (position, size, value), (sent.summary(), name)
                else:  # the value is of the whole octets
                    assert number == int(shown, 0) and position <= octet < position + size, (sent.summary(), name)
    assert compared == set(SAME), set(SAME) - compared


def test_nothing_sound_is_called_wrong(tmp_path):
    write = tmp_path / "frames.pcap"
    wrpcap(str(write), [f for f in FRAMES if ICMP not in f or f[ICMP].type == 8])
    for line in dissect(write, "--json").stdout.splitlines():
        for layer in json.loads(line)["layers"]:
            assert not [f for f in layer["fields"] if f.get("wrong")], layer["title"]


def test_one_frame_in_chinese_with_rules_and_sums(tmp_path):
    capture = tmp_path / "frames.pcap"
    wrpcap(str(capture), FRAMES)
    text = dissect(capture, "-n", 3, "--lang", "zh", "--rules", "--sums").stdout.decode()
    assert text.startswith("第 3 帧，74 字节")
    assert "序号" in text and "<- snd_nxt" in text and "= 伪首部 " in text and "\033" not in text
    piped = dissect("-", "-n", 3, "--lang", "zh", "--rules", "--sums", stdin=capture.read_bytes()).stdout.decode()
    assert piped == text


def test_the_reasons_of_our_own_capture_are_shown(wireside, tmp_path):
    capture = tmp_path / "own.pcapng"
    server = wireside("serve", "--quiet", "--pcap", str(capture)).wait_until_up()
    run("curl", "-s", f"http://{DUT}/")
    server.end()
    text = dissect(capture, "--lang", "en").stdout.decode()
    assert "LISTEN -> SYN-RECEIVED" in text and "80 (http)" in text
    frames = [json.loads(line) for line in dissect(capture, "--json").stdout.splitlines()]
    assert any("LISTEN -> SYN-RECEIVED" in c for f in frames for c in f.get("comments", []))
    assert not [f["frame"] for f in frames for layer in f["layers"] for field in layer["fields"] if field.get("wrong")]


@pytest.mark.parametrize("options", ["-x", "-xx", "-X", "-XX"])
def test_dumps_of_tcpdump(options, tmp_path):
    capture = tmp_path / "frames.pcap"
    wrpcap(str(capture), FRAMES[2:5])
    dump = run("tcpdump", "-n", options, "-r", capture).stdout
    shown = [json.loads(line) for line in dissect("-", "--json", stdin=dump.encode()).stdout.splitlines()]
    sent = [bytes(f) if options in ("-xx", "-XX") else bytes(f[IP]) for f in FRAMES[2:5]]
    assert [f["hex"] for f in shown] == [octets.hex() for octets in sent]
    assert all(f["layers"][-1]["title"] in ("TCP", "data") for f in shown)


def test_live_frames(tap, wireside):
    wireside("serve", "--quiet").wait_until_up()
    looking = subprocess.Popen([wireside_binary(), "dissect", "--live", tap, "--json", "--count", "4"],
                               stdout=subprocess.PIPE)
    for _ in range(50):
        run("ping", "-c", "1", "-W", "1", DUT, check=False)
        if looking.poll() is not None:
            break
    out, _ = looking.communicate(timeout=10)
    assert looking.returncode == 0
    titles = [layer["title"] for line in out.splitlines() for layer in json.loads(line)["layers"]]
    assert titles.count("ICMP") >= 2


def live(interface, *arguments):
    """`dissect --live`, looking."""
    looking = subprocess.Popen([wireside_binary(), "dissect", "--live", interface, "--json", *arguments],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    inode = None
    for _ in range(200):  # until its packet socket is bound
        opened = run("sh", "-c", f"ls -l /proc/{looking.pid}/fd", check=False).stdout
        inode = inode or re.search(r"socket:\[(\d+)\]", opened)
        if inode and re.search(rf" {inode.group(1)}$", open("/proc/net/packet").read(), re.MULTILINE):
            return looking
        time.sleep(0.02)
    raise AssertionError("dissect --live does not look")


def titles_and_frames(out):
    frames = [json.loads(line) for line in out.splitlines()]
    return frames, [[layer["title"] for layer in frame["layers"]] for frame in frames]


def test_live_frames_of_a_loopback_come_once(namespace):
    looking = live("lo", "--count", "2")
    run("ping", "-c", "1", "-W", "1", "127.0.0.1")
    out, _ = looking.communicate(timeout=10)
    frames, _ = titles_and_frames(out)
    assert [field["value"] for f in frames for layer in f["layers"] if layer["title"] == "ICMP"
            for field in layer["fields"] if field["name"] == "type"] == ["8", "0"]


def test_live_frames_keep_their_vlan_tag(namespace):
    run("ip", "link", "add", "wsv0", "type", "veth", "peer", "name", "wsv1")
    try:
        for interface in ("wsv0", "wsv1"):
            run("ip", "link", "set", interface, "up")
        looking = live("wsv1", "--count", "1")
        sendp(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=5, prio=3) / IP(dst="10.1.1.1") / ICMP(),
              iface="wsv0", verbose=False)
        out, _ = looking.communicate(timeout=10)
        (frame,), _ = titles_and_frames(out)
        assert frame["hex"][24:32] == "81006005"
    finally:
        run("ip", "link", "delete", "wsv0")


def test_live_frames_of_a_tun_begin_with_ip(namespace):
    run("ip", "tuntap", "add", "dev", "wst9", "mode", "tun")
    holder = os.open("/dev/net/tun", os.O_RDWR)
    try:
        fcntl.ioctl(holder, 0x400454CA, struct.pack("16sH22x", b"wst9", 0x1001))
        run("ip", "address", "add", "10.44.0.1/24", "dev", "wst9")
        run("ip", "link", "set", "wst9", "up")
        looking = live("wst9", "--count", "1")
        run("ping", "-c", "1", "-W", "1", "10.44.0.2", check=False)
        out, _ = looking.communicate(timeout=10)
        _, (titles,) = titles_and_frames(out)
        assert titles[:2] == ["IPv4", "ICMP"]
    finally:
        os.close(holder)
        run("ip", "link", "delete", "wst9")


def test_an_interface_that_goes_ends_the_look_with_an_error(namespace):
    run("ip", "tuntap", "add", "dev", "wst8", "mode", "tap")
    run("ip", "link", "set", "wst8", "up")
    looking = live("wst8")
    run("ip", "link", "delete", "wst8")
    _, err = looking.communicate(timeout=10)
    assert looking.returncode == 1 and "the interface was removed" in err.decode()


@pytest.mark.parametrize("arguments, status, said", [
    ((), 2, "there is no frame: give hex digits"), (("frame.txt",), 1, "cannot read frame.txt: No such file"), (("45", "0"), 2, "stands alone"), (("--as", "ipx", "45"), 2, "'ipx' is none of ethernet, arp, ip, tcp"),
    (("/nonexistent.pcap",), 1, "No such file"), (("--live", "nosuch0"), 1, "there is no interface nosuch0"),
    (("--live", "lo", "4500"), 2, "both given"), (("-n", "0", "x.pcap"), 2, "'0' is not a whole number"),
    (("--lang", "fr", "4500"), 2, "fr")])
def test_errors_say_what_is_wrong(arguments, status, said):
    done = dissect(*arguments)
    assert done.returncode == status
    assert said in done.stderr.decode() and done.stdout == b""


def test_a_damaged_capture_shows_what_came_before(tmp_path):
    capture = tmp_path / "cut.pcap"
    wrpcap(str(capture), FRAMES[:2])
    capture.write_bytes(capture.read_bytes()[:-5])
    done = dissect(capture, "--json")
    assert done.returncode == 1 and len(done.stdout.splitlines()) == 1
    assert "behind frame 1, the capture is damaged: it ends inside of a frame" in done.stderr.decode()
    assert dissect(capture, "-n", 9).returncode == 1
