"""The socket options of `wireside agent` by those of the kernel, or by a sysctl where it has only that."""
import math
import pathlib
import socket
import struct

from linux_sockets import IP_MTU_DISCOVER, IP_RECVERR, MTU_DISCOVERY, Refused, missing

TCP, IP, GENERAL = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.SOL_SOCKET
TCP_USER_TIMEOUT, TCP_CONGESTION, TCP_FASTOPEN, TCP_FASTOPEN_CONNECT = 18, 13, 23, 30
PLAIN = {"no_delay": (TCP, socket.TCP_NODELAY), "keep_alive": (GENERAL, socket.SO_KEEPALIVE),
         "keep_alive_probes": (TCP, socket.TCP_KEEPCNT), "user_timeout_ms": (TCP, TCP_USER_TIMEOUT),
         "send_buffer": (GENERAL, socket.SO_SNDBUF), "receive_buffer": (GENERAL, socket.SO_RCVBUF),
         "ttl": (IP, socket.IP_TTL), "tos": (IP, socket.IP_TOS), "max_segment": (TCP, socket.TCP_MAXSEG),
         "quick_ack": (TCP, socket.TCP_QUICKACK), "report_errors": (IP, IP_RECVERR), "cork": (TCP, socket.TCP_CORK),
         "fast_open": (TCP, TCP_FASTOPEN_CONNECT), "fast_open_queue": (TCP, TCP_FASTOPEN),
         "multicast_ttl": (IP, socket.IP_MULTICAST_TTL), "broadcast": (GENERAL, socket.SO_BROADCAST)}
SECONDS = {"keep_alive_idle_ms": socket.TCP_KEEPIDLE, "keep_alive_interval_ms": socket.TCP_KEEPINTVL}
ECN = {"off": "0", "ask": "1", "accept": "2"}  # values of the sysctl tcp_ecn
NOT_IN_LINUX = {"abe": "alternative back-off with ECN (RFC 8511)",
                "user_timeout_option": "user timeout option (RFC 5482)"}


def write_sysctl(name, value):
    try:
        pathlib.Path("/proc/sys/net/ipv4", name).write_text(value)
    except OSError:  # some belong to the first namespace alone
        pass


def set_option(record, name, value):
    """Raises OSError as the kernel's setsockopt() does, Refused(ENOSYS) for what the kernel lacks."""
    sock = record.socket
    if name in NOT_IN_LINUX:
        if value:
            raise missing(NOT_IN_LINUX[name])
    elif name in PLAIN:
        sock.setsockopt(*PLAIN[name], int(value))
    elif name in SECONDS:
        if value % 1000:
            raise missing(f"{name} of less than a second")
        sock.setsockopt(TCP, SECONDS[name], value // 1000)
    elif name == "linger_ms":
        on, after = (0, 0) if value is None else (1, math.ceil(value / 1000))
        sock.setsockopt(GENERAL, socket.SO_LINGER, struct.pack("ii", on, after))
    elif name == "congestion":
        sock.setsockopt(TCP, TCP_CONGESTION, {"newreno": "reno"}.get(value, value).encode())
    elif name == "mtu_discovery":
        sock.setsockopt(IP, IP_MTU_DISCOVER, MTU_DISCOVERY[value])
    elif name == "echo_sequence":
        record.echo_sequence = value
    elif name == "ecn":
        write_sysctl("tcp_ecn", ECN[value])  # of the namespace; the next test's reset takes it back
    elif name == "ip_options":
        sock.setsockopt(IP, socket.IP_OPTIONS, octets(value))
    else:
        raise Refused("EINVAL", f"no option {name}")


def octets(text):
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Refused("EINVAL", f"not hex: {text}") from None
