"""Who is measured: wireside, the TAP's own limit, the kernel over a veth pair, lwIP and nginx. One at a time is up."""
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import time

from surroundings import ADDRESS, HOST, PREFIX, Failure, program, run, start

HTTP = 8080
NGINX = """worker_processes 1; daemon off; pid {d}/nginx.pid; error_log {d}/nginx.err; user root; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; use epoll; multi_accept on; }}
http {{ access_log off; keepalive_requests 1000000000; client_body_temp_path {d}/body; proxy_temp_path {d}/proxy;
  fastcgi_temp_path {d}/fastcgi; uwsgi_temp_path {d}/uwsgi; scgi_temp_path {d}/scgi;
  server {{ listen {ip}:8080 backlog=4096;
    location / {{ default_type text/plain; return 200 "Hello, world\\n"; }} }} }}
"""


class Peer:
    """A context manager: inside it the server answers at ADDRESS. `ready` is the line it prints then (None: no line)."""

    ready = "ready"

    def __init__(self, name, *command, why_not=None):
        self.name, self.command, self.why_not = name, list(command), why_not
        self.process, self.ready_after, self.said = None, 0.0, ""

    def prefix(self):
        return []

    def set_up(self):
        raise NotImplementedError

    def take_down(self):
        raise NotImplementedError

    def __enter__(self):
        self.set_up()
        try:
            begun = time.monotonic()
            self.process = start([*self.prefix(), *self.command], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.await_ready()
            self.ready_after = time.monotonic() - begun
            warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def await_ready(self):
        if self.ready is None:
            return self.await_port()
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            end = time.monotonic() + 10
            while time.monotonic() < end and selector.select(max(0.0, end - time.monotonic())):
                line = self.process.stdout.readline().decode(errors="replace")
                if self.ready in line:
                    self.said = line.strip()
                    return
                if not line:
                    break
        complaint = ""
        if self.process.poll() is not None:
            complaint = self.process.stderr.read().decode(errors="replace").strip()
        raise Failure(f"{self.name} did not start: {complaint or 'no answer in 10 s'}")

    def await_port(self):
        for _ in range(200):
            try:
                socket.create_connection((ADDRESS, HTTP), timeout=1).close()
                return
            except OSError:
                time.sleep(0.01)
        raise Failure(f"{self.name} did not start: nothing listens on {ADDRESS}:{HTTP} after 2 s")

    def __exit__(self, *_):
        if self.process:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)
            self.process.stdout.close()
            self.process.stderr.close()
            self.process = None
        self.take_down()

    def cpu(self):
        """Processor seconds of the server's process so far."""
        threads = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9

    def memory(self):
        """Resident octets of the server's process."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


def warm_up():
    """The host learns the server's MAC address, so that no measurement waits for it."""
    for _ in range(50):
        done = subprocess.run(["ping", "-q", "-c", "1", "-W", "0.2", ADDRESS], stdout=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            return
    raise Failure(f"{ADDRESS} does not answer a ping")


class TapPeer(Peer):
    """On a TAP of its own, whose kernel side is HOST."""

    tap = "wsb0"
    vnet_header = True
    multi_queue = False

    def set_up(self):
        run("ip", "tuntap", "add", "dev", self.tap, "mode", "tap", *(["vnet_hdr"] if self.vnet_header else []),
            *(["multi_queue"] if self.multi_queue else []))
        run("ip", "address", "add", f"{HOST}/{PREFIX}", "dev", self.tap)
        run("ip", "link", "set", self.tap, "txqueuelen", "5000", "up")

    def take_down(self):
        run("ip", "link", "delete", self.tap, check=False)


class LwipPeer(TapPeer):
    vnet_header = False


class QueuesPeer(TapPeer):
    multi_queue = True


class WiresideCommand(TapPeer):
    """`wireside serve` itself."""

    ready = "wireside: serving"


class VethPeer(Peer):
    """In a second network namespace, joined to ours by a veth pair."""

    def set_up(self):
        self.holder = start(["unshare", "-n", "sleep", "infinity"])
        own = os.readlink("/proc/self/ns/net")
        for _ in range(200):
            try:
                if os.readlink(f"/proc/{self.holder.pid}/ns/net") != own:
                    break
            except OSError:
                pass
            time.sleep(0.005)
        inside = self.prefix()
        run("ip", "link", "add", "wsb0", "type", "veth", "peer", "name", "wsb1", "netns", str(self.holder.pid))
        run("ip", "address", "add", f"{HOST}/{PREFIX}", "dev", "wsb0")
        run("ip", "link", "set", "wsb0", "up")
        run(*inside, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv4.tcp_congestion_control=reno",
            "net.ipv4.tcp_no_metrics_save=1", check=False)
        run(*inside, "ip", "address", "add", f"{ADDRESS}/{PREFIX}", "dev", "wsb1")
        run(*inside, "ip", "link", "set", "wsb1", "up")

    def prefix(self):
        return ["nsenter", "-t", str(self.holder.pid), "-n"]

    def take_down(self):
        run("ip", "link", "delete", "wsb0", check=False)
        self.holder.kill()
        self.holder.wait(5)


class NginxPeer(VethPeer):
    ready = None


def known_peers(folder, wireside, has_lwip, has_nginx):
    """All of them by their key; those that cannot run here say so in `why_not`."""
    serve = [wireside, "serve", "--ip", f"{ADDRESS}/{PREFIX}", "--root", str(folder), "--quiet", "--no-acd",
             "--no-control", "--tap", TapPeer.tap]
    own = [program("wireside_server"), TapPeer.tap, f"{ADDRESS}/{PREFIX}"]
    limit = [program("tap_limit"), TapPeer.tap, ADDRESS]
    (folder / "nginx.conf").write_text(NGINX.format(d=folder, ip=ADDRESS))
    no_lwip = None if has_lwip else "its source could not be had"
    no_nginx = None if has_nginx else "nginx is not installed"
    busy = "--busy-poll" in run(wireside, "serve", "--help", check=False)
    peers = {
        "limit": TapPeer("TAP's limit", *limit),
        "limit-busy": TapPeer("TAP's limit, polling", *limit, "--spin"),
        "limit-frames": TapPeer("TAP's limit", *limit, "--frames", "--ack-every", "32"),
        "limit-frames-2": TapPeer("TAP's limit, ACK every 2", *limit, "--frames", "--ack-every", "2"),
        "wireside": TapPeer("wireside", *own),
        "wireside-queues": QueuesPeer("wireside, 2 queues", *own, "--queues", "2"),
        "wireside-frames": TapPeer("wireside", *own, "--frames"),
        "serve": WiresideCommand("wireside serve", *serve),
        "serve-busy": WiresideCommand("wireside, busy poll", *serve, "--busy-poll", "1000",
                                      why_not=None if busy else "there is no --busy-poll yet"),
        "lwip": LwipPeer("lwIP", program("lwip_server"), TapPeer.tap, ADDRESS, why_not=no_lwip),
        "kernel": VethPeer("kernel, veth", program("epoll_server")),
        "nginx": NginxPeer("nginx, veth", "nginx", "-c", str(folder / "nginx.conf"), why_not=no_nginx),
    }
    for peer in peers.values():
        if os.path.isabs(peer.command[0]) and not os.access(peer.command[0], os.X_OK):
            peer.why_not = peer.why_not or f"{pathlib.Path(peer.command[0]).name} is not built"
    return peers
