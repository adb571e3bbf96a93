"""What the kernel tells of its sockets: TCP_INFO and /proc/net/tcp, in the words of `wireside agent`."""
import socket
import struct

IP_MTU_DISCOVER, IP_RECVERR, TCP_INFO = 10, 11, 11
TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21
MTU_DISCOVERY = {"dont": 0, "want": 1, "do": 2, "probe": 3}
ERRORS_BY_ORIGIN = {1: "local", 2: "icmp"}
STATES = {1: "ESTABLISHED", 2: "SYN-SENT", 3: "SYN-RECEIVED", 4: "FIN-WAIT-1", 5: "FIN-WAIT-2", 6: "TIME-WAIT",
          7: "CLOSED", 8: "CLOSE-WAIT", 9: "LAST-ACK", 10: "LISTEN", 11: "CLOSING", 12: "SYN-RECEIVED"}
NO_THRESHOLD = 0x7FFFFFFF  # the kernel's "infinite" ssthresh, in segments


class Refused(Exception):
    """Answered as an error."""

    def __init__(self, name, message="", **fields):
        super().__init__(message)
        self.name, self.message, self.fields = name, message, fields


def missing(what):
    return Refused("ENOSYS", f"needs the agent's {what}")


def tcp_status(kernel_socket):
    """The fields of struct tcp_info that have a counterpart."""
    info = kernel_socket.getsockopt(socket.IPPROTO_TCP, TCP_INFO, 256).ljust(256, b"\0")
    state, _, retransmits, _, _, options, scales, _ = struct.unpack("8B", info[:8])
    rto, _, mss, _ = struct.unpack("4I", info[8:24])
    rtt, rttvar, ssthresh, cwnd = struct.unpack("4I", info[68:84])
    total_retransmitted = struct.unpack("I", info[100:104])[0]
    octets_received = struct.unpack("Q", info[128:136])[0]
    if STATES[state] in ("CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT"):
        octets_received -= 1  # the kernel counts the FIN
    octets_sent = struct.unpack("Q", info[200:208])[0]
    snd_wnd, rcv_wnd = struct.unpack("2I", info[228:236])
    return {"state": STATES[state], "mss": mss, "timestamps": bool(options & 1), "sack": bool(options & 2), "ecn": bool(options & 8),
            "snd_wscale": scales & 15 if options & 4 else 0, "rcv_wscale": scales >> 4 if options & 4 else 0,
            "rto_ms": rto / 1000, "srtt_ms": rtt / 1000, "rttvar_ms": rttvar / 1000,
            "cwnd": cwnd * mss, "ssthresh": 0xFFFFFFFF if ssthresh >= NO_THRESHOLD else ssthresh * mss,
            "retransmissions": retransmits, "total_retransmitted": total_retransmitted,
            "octets_received": octets_received, "octets_sent": octets_sent, "snd_wnd": snd_wnd, "rcv_wnd": rcv_wnd}


def sequence_numbers(kernel_socket, unacknowledged):
    """RCV.NXT and SND.UNA, by the way that moves sockets between hosts (TCP_REPAIR); {} where the kernel refuses.
    `unacknowledged`: octets in the send queue."""
    tcp = socket.IPPROTO_TCP
    try:
        kernel_socket.setsockopt(tcp, TCP_REPAIR, 1)
    except OSError:
        return {}
    numbers = {}
    for name, which in (("rcv_nxt", 1), ("snd_una", 2)):
        kernel_socket.setsockopt(tcp, TCP_REPAIR_QUEUE, which)
        numbers[name] = struct.unpack("I", kernel_socket.getsockopt(tcp, TCP_QUEUE_SEQ, 4))[0]
    kernel_socket.setsockopt(tcp, TCP_REPAIR, -1)  # without the probe that would tell the peer
    numbers["snd_una"] = (numbers["snd_una"] - unacknowledged) % 2**32
    return numbers


def _endpoint(text):
    address, port = text.split(":")
    return f"{socket.inet_ntoa(struct.pack('<I', int(address, 16)))}:{int(port, 16)}"


def connections():
    """Every TCP socket of the namespace, half-open and TIME-WAIT too."""
    with open("/proc/self/net/tcp") as file:
        rows = [line.split() for line in file.readlines()[1:]]
    return [{"local": _endpoint(row[1]), "peer": _endpoint(row[2]), "state": STATES[int(row[3], 16)]} for row in rows]
