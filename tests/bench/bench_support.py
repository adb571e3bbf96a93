"""What the measurements share: running tools, files' digests, and `wireside serve` on a TAP of its own."""
import hashlib
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "conformance"))

from wireside_lab import make_tap, remove_tap  # noqa: E402

ADDRESS, HOST = "10.0.0.2", "10.0.0.1"
BINARY = str(TOP / "build/release/apps/wireside")


class Failure(Exception):
    pass


def tool(*command, timeout=600):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} gave {done.returncode}: {done.stdout[-400:]}{done.stderr[-400:]}")
    return done.stdout


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else \
            hashlib.sha256(file.read()).hexdigest()


def scratch_place():
    """Where large files are made: memory if possible (None: the default)."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


class Wireside:
    """`wireside serve` on a TAP of its own, serving folder/www; `prefix` is the network's length."""

    def __init__(self, binary, folder, name, *flags, prefix=24):
        self.name, self.address, self.prefix = name, ADDRESS, prefix
        self.command = [binary, "serve", "--ip", f"{ADDRESS}/{prefix}", "--root", str(folder / "www"), "--quiet",
                        "--gateway", HOST, "--no-acd", *flags]

    def __enter__(self):
        self.tap = make_tap(address=f"{HOST}/{self.prefix}")
        self.process = subprocess.Popen([*self.command, "--tap", self.tap], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True)
        tool("curl", "-s", "--retry", "50", "--retry-delay", "0", "--retry-all-errors", "-m", "10", "-o", "/dev/null",
             f"http://{ADDRESS}/")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        complaints = self.process.communicate(timeout=30)[1]
        remove_tap(self.tap)
        if self.process.returncode != 0:  # a sanitizer's report, too
            raise Failure(f"{self.name} ended with {self.process.returncode}: {complaints[-2000:]}")

    def memory(self):
        """Resident memory in MiB."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1)) / 1024
