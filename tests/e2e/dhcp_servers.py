"""Real DHCP servers on an interface of the kernel's, for the end-to-end tests: dnsmasq, ISC Kea and busybox udhcpd.

    server = Dnsmasq(interface, folder, first=50, last=60)     range 10.9.0.50 to 10.9.0.60
    server.start() ... server.stop()                     stop keeps the lease database in the folder

Times (seconds) are as short as each server lets them be; `lease` is what it then gives.
"""
import json
import os
import shutil
import subprocess
import time

from e2e_support import HOST


class DhcpServer:
    program = ""

    def __init__(self, interface, folder, first=50, last=60, lease=120, t1=None, t2=None):
        self.interface, self.folder, self.first, self.last = interface, folder, first, last
        self.lease, self.t1, self.t2 = lease, t1, t2
        self.process = None

    @classmethod
    def missing(cls):
        """Why the server cannot be used here; None if it can."""
        return None if cls.path() else f"{cls.program} is not installed: scripts/install-deps"

    @classmethod
    def path(cls):
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

    def command(self):
        raise NotImplementedError

    def environment(self):
        return dict(os.environ)

    def ready(self):
        """The server's socket is open. A raw one counts as well."""
        for table, marks in (("udp", [":0043 "]), ("packet", [""])):
            with open(f"/proc/{self.process.pid}/net/{table}", encoding="ascii") as lines:
                if any(mark in line for line in list(lines)[1:] for mark in marks):
                    return True
        return False

    def start(self):
        assert self.process is None
        command = self.command()
        with open(self.folder / f"{self.program}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder, env=self.environment())
        end = time.monotonic() + 10
        while not self.ready():
            assert self.process.poll() is None, f"{self.program} ended: {self.log()}"
            assert time.monotonic() < end, f"{self.program} does not come up: {self.log()}"
            time.sleep(0.05)
        time.sleep(0.3)
        return self

    def log(self):
        return (self.folder / f"{self.program}.log").read_text(errors="replace")[-4000:]

    def stop(self):
        if self.process is None:
            return self
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        return self

    def address(self, last):
        return HOST.rsplit(".", 1)[0] + f".{last}"


class Dnsmasq(DhcpServer):
    program = "dnsmasq"

    def command(self):
        # No DNS (port 0), nothing from /etc, in the foreground. Two minutes are its shortest lease.
        options = ["--no-daemon", "--conf-file=/dev/null", "--port=0", f"--interface={self.interface}",
                   "--bind-interfaces", "--except-interface=lo", "--dhcp-authoritative", "--no-ping",
                   "--log-dhcp", "--log-facility=-", f"--pid-file={self.folder}/dnsmasq.pid",
                   f"--dhcp-leasefile={self.folder}/dnsmasq.leases",
                   f"--dhcp-range={self.address(self.first)},{self.address(self.last)},255.255.255.0,{self.lease}s",
                   f"--dhcp-option=option:router,{HOST}", "--dhcp-option=option:domain-name,lab.example",
                   "--dhcp-option=26,1400", "--dhcp-option-force=12,labhost",
                   f"--dhcp-option=option:ntp-server,{HOST}",
                   "--dhcp-option=option:classless-static-route,0.0.0.0/0," + HOST + ",172.20.0.0/16," + HOST]
        if self.t1:
            options.append(f"--dhcp-option=option:T1,{self.t1}")
        if self.t2:
            options.append(f"--dhcp-option=option:T2,{self.t2}")
        return [self.path(), *options]


class Kea(DhcpServer):
    program = "kea-dhcp4"

    def environment(self):
        return {**os.environ, "KEA_PIDFILE_DIR": str(self.folder), "KEA_LOCKFILE_DIR": "none",
                "KEA_LOGGER_DESTINATION": "stdout"}

    def command(self):
        settings = {
            "interfaces-config": {"interfaces": [self.interface], "dhcp-socket-type": "raw"},
            "lease-database": {"type": "memfile", "persist": True, "name": str(self.folder / "kea.leases"),
                               "lfc-interval": 0},
            "authoritative": True,
            "valid-lifetime": self.lease, "min-valid-lifetime": self.lease, "max-valid-lifetime": self.lease,
            "subnet4": [{
                "id": 1, "subnet": HOST.rsplit(".", 1)[0] + ".0/24",
                "pools": [{"pool": f"{self.address(self.first)} - {self.address(self.last)}"}],
                "option-data": [{"name": "routers", "data": HOST}, {"name": "domain-name", "data": "lab.example"},
                                {"name": "broadcast-address", "data": f"{self.address(255)}"},
                                {"name": "host-name", "data": "labhost"},
                                {"name": "interface-mtu", "data": "1400"}, {"name": "ntp-servers", "data": HOST}],
            }],
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
        }
        if self.t1:
            settings["renew-timer"] = self.t1
        if self.t2:
            settings["rebind-timer"] = self.t2
        path = self.folder / "kea.json"
        path.write_text(json.dumps({"Dhcp4": settings}))
        return [self.path(), "-c", str(path)]


class Udhcpd(DhcpServer):
    program = "busybox"

    def command(self):
        lines = [f"start {self.address(self.first)}", f"end {self.address(self.last)}", f"interface {self.interface}",
                 f"lease_file {self.folder}/udhcpd.leases", f"pidfile {self.folder}/udhcpd.pid", "auto_time 1",
                 "min_lease 2", f"opt lease {self.lease}", "opt subnet 255.255.255.0", f"opt router {HOST}",
                 f"opt broadcast {self.address(255)}", "opt hostname labhost", "opt domain lab.example", "opt mtu 1400", f"opt ntpsrv {HOST}"]
        if self.t1:
            lines.append(f"opt 58 {self.t1:08x}")
        if self.t2:
            lines.append(f"opt 59 {self.t2:08x}")
        path = self.folder / "udhcpd.conf"
        path.write_text("\n".join(lines) + "\n")
        (self.folder / "udhcpd.leases").touch()
        return [self.path(), "udhcpd", "-f", str(path)]

    def ready(self):
        return super().ready() or self.process.poll() is None


SERVERS = {"dnsmasq": Dnsmasq, "kea": Kea, "udhcpd": Udhcpd}
