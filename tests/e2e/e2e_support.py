"""Running subcommands on a TAP whose kernel side is 10.9.0.1, for the end-to-end tests."""
import hashlib
import pathlib
import signal
import subprocess
import time

from wireside_lab import run, wireside_binary

HOST, DUT = "10.9.0.1", "10.9.0.2"


class Wireside:
    """A running subcommand."""

    def __init__(self, tap, subcommand, *arguments, options=(), stdin=subprocess.DEVNULL):
        self.tap = tap
        self.process = subprocess.Popen(
            [wireside_binary(), subcommand, "--tap", tap, "--ip", f"{DUT}/24", "--gateway", HOST, *options, *arguments],
            stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def wait_until_up(self, port=80):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert self.process.poll() is None, f"ended: {self.process.stderr.read().decode()}"
            if run("nc", "-z", "-w", "1", DUT, str(port), check=False).returncode == 0:
                return self
            time.sleep(0.05)
        raise AssertionError("it does not come up")

    def rss(self):
        """Resident memory in octets."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no VmRSS")

    def end(self, how=signal.SIGINT, within=10):
        """(status, standard output, standard error) after a signal (None: by itself)."""
        if how is not None and self.process.poll() is None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=within)
        return self.process.returncode, out.decode(errors="replace"), err.decode(errors="replace")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
