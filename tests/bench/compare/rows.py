"""What is measured against whom, and the bars that a run is judged by."""
import dataclasses
import functools

import measure
from measure import BEAST, DISCARD, HTTP, HTTPD, LEND_DISCARD, LEND_SOURCE, SOURCE


@dataclasses.dataclass(frozen=True)
class Contender:
    key: str       # in the JSON
    name: str      # in the table
    peer: str      # key of known_peers()
    take: object   # (peer, seconds) -> {metric: value}
    own: bool = False


@dataclasses.dataclass(frozen=True)
class Row:
    key: str
    title: str
    unit: str
    more_is_better: bool
    contenders: tuple
    extra: dict = dataclasses.field(default_factory=dict)  # further metrics: {metric: (title, unit)}
    digits: int = 1
    seconds: float | None = None  # when not the run's


def call(function, **arguments):
    return functools.partial(function, **arguments)


def own(key, name, peer, take):
    return Contender(key, name, peer, take, own=True)


CPU = {"process_cpu": ("server's process", "CPU s/GB"), "both_cpu": ("with the load's", "CPU s/GB")}


def bulk_rows():
    receive, lend_receive = call(measure.bulk, send_to=DISCARD), call(measure.bulk, send_to=LEND_DISCARD)
    send, lend_send = call(measure.bulk, receive_from=SOURCE), call(measure.bulk, receive_from=LEND_SOURCE)
    both, lend_both = call(measure.bulk, send_to=DISCARD, receive_from=SOURCE), \
        call(measure.bulk, send_to=LEND_DISCARD, receive_from=LEND_SOURCE)

    def row(key, title, ordinary, lent, frames):
        end = "-frames" if frames else ""
        own_rows = (own("wireside-buffer", "wireside, Asio, ordinary buffer", "wireside" + end, ordinary),
                    own("wireside-lent", "wireside, Asio, lent buffers", "wireside" + end, lent))
        if frames:
            others = (Contender("limit", "TAP's limit, ACK every 32", "limit-frames", ordinary),
                      Contender("limit-2", "TAP's limit, ACK every 2", "limit-frames-2", ordinary),
                      Contender("lwip", "lwIP, lent buffers", "lwip", lent))
            if "receive" not in key:
                others = (others[0], others[2])
        else:
            others = (Contender("limit", "TAP's limit", "limit", ordinary),
                      Contender("kernel", "kernel, veth", "kernel", ordinary))
        return Row(key, title, "Gbit/s", True, own_rows + others, CPU)

    yield row("receive-offload", "Bulk receive, offload", receive, lend_receive, False)
    yield row("send-offload", "Bulk send, offload", send, lend_send, False)
    yield row("both-offload", "Both directions at once, offload", both, lend_both, False)
    yield row("receive-frames", "Bulk receive, 1,500-byte frames", receive, lend_receive, True)
    yield row("send-frames", "Bulk send, 1,500-byte frames", send, lend_send, True)
    yield row("both-frames", "Both directions at once, 1,500-byte frames", both, lend_both, True)


COST = {"request_cpu": ("server's processor time of each", "us"), "cores": ("cores that the server used", ""),
        "load_cores": ("that the load used", "")}


def http_rows():
    for connections in (1, 16, 256):
        take = call(measure.per_request, take=call(measure.http, connections=connections, port=HTTP))
        yield Row(f"http-{connections}", f"HTTP keep-alive, {connections} connection{'s' * (connections > 1)}", "requests/s",
                  True, (own("wireside-table", "wireside, socket table", "wireside", take),
                         own("wireside-beast", "wireside, Beast and Asio", "wireside",
                             call(measure.per_request, take=call(measure.http, connections=connections, port=BEAST))),
                         Contender("lwip", "lwIP, raw API", "lwip", take),
                         Contender("lwip-httpd", "lwIP, its httpd", "lwip",
                                   call(measure.per_request,
                                        take=call(measure.http, connections=connections, port=HTTPD))),
                         Contender("kernel", "kernel, one-process epoll", "kernel", take),
                         Contender("nginx", "kernel, nginx", "nginx", take)), COST, digits=0)


def queue_rows():
    """On two cores the load takes its share: what a second queue cannot show in the rate, the cost of a request shows."""
    def row(key, title, unit, take):
        contenders = []
        for port, server in ((HTTP, "socket table"), (BEAST, "Beast and Asio")):
            measured = call(measure.per_request, take=call(take, port=port))
            end = "" if port == HTTP else "-beast"
            contenders += [own(f"queues-1{end}", f"wireside, {server}, 1 queue", "wireside", measured),
                           own(f"queues-2{end}", f"wireside, {server}, 2 queues", "wireside-queues", measured)]
        return Row(key, title, unit, True, tuple(contenders), COST, digits=0)

    yield row("queues-http", "HTTP keep-alive, 256 connections, by queues", "requests/s", call(measure.http, connections=256))
    yield row("queues-connects", "New connections (ab -c16), by queues", "connections/s", measure.connects)


def latency_rows():
    connects = call(measure.per_request, take=measure.connects)
    yield Row("connects", "New connections (ab -c16)", "connections/s", True,
              (own("wireside-table", "wireside, socket table", "wireside", connects),
               own("wireside-beast", "wireside, Beast and Asio", "wireside",
                  call(measure.per_request, take=call(measure.connects, port=BEAST))),
               Contender("lwip", "lwIP, raw API", "lwip", connects),
               Contender("kernel", "kernel, one-process epoll", "kernel", connects),
               Contender("nginx", "kernel, nginx", "nginx", connects)),
              {"syn_retransmissions": ("SYNs sent again", "")} | COST, digits=0)
    yield Row("udp", "UDP echo, 64 octets, 64 on the way", "datagrams/s", True,
              (own("wireside-table", "wireside, socket table", "wireside", measure.datagrams),
               Contender("limit", "TAP's limit", "limit", measure.datagrams),
               Contender("lwip", "lwIP", "lwip", measure.datagrams),
               Contender("kernel", "kernel, one-process epoll", "kernel", measure.datagrams)), {"lost": ("lost", "")},
              digits=0)
    yield Row("ping", "ping -f, average", "us", False,
              (own("wireside", "wireside serve", "serve", measure.ping),
               own("wireside-busy", "wireside serve, busy poll", "serve-busy", measure.ping),
               Contender("limit", "TAP's limit", "limit", measure.ping),
               Contender("limit-busy", "TAP's limit, polling", "limit-busy", measure.ping),
               Contender("lwip", "lwIP", "lwip", measure.ping),
               Contender("kernel", "kernel, veth", "kernel", measure.ping)), {"interval": ("from one to the next", "us")})
    yield Row("round-trips", "One octet there and back over TCP, median", "us", False,
              (own("wireside-table", "wireside, socket table", "wireside", measure.round_trips),
               Contender("lwip", "lwIP", "lwip", measure.round_trips),
               Contender("kernel", "kernel, one-process epoll", "kernel", measure.round_trips)),
              {"p99": ("99 % within", "us")})


def size_rows(library, lwip_library, wireside):
    yield Row("idle-memory", "Server's memory for an idle connection", "octets", False,
              (own("wireside-table", "wireside, socket table", "wireside", measure.idle_memory),
               Contender("lwip", "lwIP, raw API", "lwip", call(measure.idle_memory, count=1000))), digits=0)
    yield Row("start-up", "From exec to listening", "ms", False,
              (own("serve", "wireside serve", "serve", measure.start_up),
               own("wireside", "wireside, small server", "wireside", measure.start_up),
               Contender("lwip", "lwIP, small server", "lwip", measure.start_up),
               Contender("kernel", "kernel, one-process epoll", "kernel", measure.start_up)), digits=1)
    yield Row("size", "Code and initialised data", "octets", False,
              (own("library", "wireside, the core as a library", "", lambda *_: measure.code_size(library)),
               own("command", "wireside, the command", "", lambda *_: measure.code_size(wireside)),
               Contender("lwip", "lwIP as a library, IPv4 and httpd", "", lambda *_: measure.code_size(lwip_library))),
              digits=0)


def all_rows(library, lwip_library, wireside):
    return [*bulk_rows(), *http_rows(), *latency_rows(), *queue_rows(), *size_rows(library, lwip_library, wireside)]


CURVE = "curve"   # rows of their own kind: see curve.py and micro.py
MICRO = "micro"


@dataclasses.dataclass(frozen=True)
class Bar:
    """`figure` divided by `against` (both "row/contender[/metric]"; no `against`: the figure itself)."""
    key: str
    text: str
    figure: str
    against: str | None
    bound: float
    at_least: bool = True


BARS = (
    Bar("receive-offload-lent-of-limit", "Bulk receive, offload, lent buffers, of the TAP's limit",
        "receive-offload/wireside-lent", "receive-offload/limit", 0.85),
    Bar("receive-offload-buffer-of-limit", "Bulk receive, offload, ordinary buffer, of the TAP's limit",
        "receive-offload/wireside-buffer", "receive-offload/limit", 0.60),
    Bar("receive-offload-buffer-of-gvisor", "Bulk receive, offload, ordinary buffer: Gbit/s (twice gVisor's 21)",
        "receive-offload/wireside-buffer", None, 42),
    Bar("send-offload-lent-of-limit", "Bulk send, offload, lent buffers, of the TAP's limit",
        "send-offload/wireside-lent", "send-offload/limit", 0.85),
    Bar("send-offload-buffer-of-limit", "Bulk send, offload, ordinary buffer, of the TAP's limit",
        "send-offload/wireside-buffer", "send-offload/limit", 0.55),
    Bar("send-offload-buffer-of-kernel", "Bulk send, offload, ordinary buffer, of the kernel over veth",
        "send-offload/wireside-buffer", "send-offload/kernel", 1.0),
    Bar("receive-frames-of-limit", "Receive, 1,500-byte frames, lent buffers, of the TAP's limit",
        "receive-frames/wireside-lent", "receive-frames/limit", 0.90),
    Bar("send-frames-of-limit", "Send, 1,500-byte frames, lent buffers, of the TAP's limit",
        "send-frames/wireside-lent", "send-frames/limit", 0.90),
    Bar("receive-frames-of-lwip", "Receive, 1,500-byte frames, lent buffers, of lwIP",
        "receive-frames/wireside-lent", "receive-frames/lwip", 2.0),
    Bar("http-16-of-lwip-httpd", "HTTP, 16 connections, socket table, of lwIP's httpd",
        "http-16/wireside-table", "http-16/lwip-httpd", 1.2),
    Bar("http-16-of-lwip", "HTTP, 16 connections, socket table, of lwIP's raw API",
        "http-16/wireside-table", "http-16/lwip", 1.2),
    Bar("http-16-beast-of-kernel", "HTTP, 16 connections, Beast, of the kernel's epoll server",
        "http-16/wireside-beast", "http-16/kernel", 1.0),
    Bar("connects", "New connections a second", "connects/wireside-table", None, 46000),
    Bar("connects-of-kernel", "New connections, of the kernel's epoll server",
        "connects/wireside-table", "connects/kernel", 2.5),
    Bar("connects-syn-again", "SYNs that had to be sent again", "connects/wireside-table/syn_retransmissions", None, 0,
        at_least=False),
    Bar("ping-of-lwip", "ping -f, of lwIP", "ping/wireside", "ping/lwip", 1.0, at_least=False),
    Bar("ping-busy-of-kernel", "ping -f with busy poll, of the kernel over veth", "ping/wireside-busy", "ping/kernel", 1.5,
        at_least=False),
    Bar("idle-memory", "Octets of an idle connection", "idle-memory/wireside-table", None, 512, at_least=False),
    Bar("curve-100000-goodput", "Goodput beside 100,000 idle connections, of that beside one",
        "curve/wireside/100000", "curve/wireside/1", 0.90),
)
