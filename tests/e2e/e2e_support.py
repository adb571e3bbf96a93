"""Running subcommands on a TAP whose kernel side is 10.9.0.1, for the end-to-end tests."""
import hashlib
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from wireside_lab import run, wireside_binary

HOST, DUT = "10.9.0.1", "10.9.0.2"


class Wireside:
    """A running subcommand. Its output goes to files, so that it never waits for a reader."""

    def __init__(self, tap, subcommand, *arguments, options=(), stdin=subprocess.DEVNULL, acd=False,
                 address=("--ip", f"{DUT}/24", "--gateway", HOST)):
        self.tap = tap
        self.files = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [wireside_binary(), subcommand, "--tap", tap, *address, *([] if acd else ["--no-acd"]), *options, *arguments],
            stdin=stdin, stdout=self.files[0], stderr=self.files[1])

    def output(self):
        """Standard output and standard error until now, as bytes."""
        texts = []
        for file in self.files:
            texts.append(os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0))
        return texts

    def wait_until_up(self, port=80):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            assert self.process.poll() is None, f"ended: {self.output()[1].decode()}"
            if run("nc", "-z", "-w", "1", DUT, str(port), check=False).returncode == 0:
                return self
            time.sleep(0.05)
        raise AssertionError(f"it does not come up: {self.output()[1].decode()}")

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
        status = self.process.wait(within)
        return status, *(text.decode(errors="replace") for text in self.output())

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for file in self.files:
            file.close()


def wait_for(process, text, within=15.0, times=1):
    """Waits until the text stands in the process's standard error so often; gives what is there then."""
    end = time.monotonic() + within
    while (found := process.output()[1].decode(errors="replace")).count(text) < times:
        assert process.process.poll() is None, f"ended: {found}"
        assert time.monotonic() < end, f"{text!r} does not appear {times} times: {found[-6000:]}"
        time.sleep(0.05)
    return found


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
