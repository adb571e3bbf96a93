"""The namespace, the machine and the programs that the measurements use."""
import ctypes
import os
import pathlib
import platform
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(TOP / "tests" / "conformance"))

from wireside_lab import enter_namespace  # noqa: E402

ADDRESS, HOST, PREFIX = "10.0.0.2", "10.0.0.1", 16
PR_SET_PDEATHSIG, SIGKILL = 1, 9
PRIORITY = -15
_libc = ctypes.CDLL(None)


class Failure(Exception):
    pass


def program(name):
    return str(TOP / "build/release/tests/bench/tools" / name)


# Where autogroups are in use, a priority counts only inside a session: each child has one of its own, and one for it.
_wanted = {"priority": 0}


def _before_exec():
    _libc.prctl(PR_SET_PDEATHSIG, SIGKILL)
    if _wanted["priority"]:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, _wanted["priority"])
            with open("/proc/self/autogroup", "w", encoding="ascii") as file:
                file.write(str(_wanted["priority"]))
        except OSError:
            pass


def start(command, **options):
    """A process that cannot outlive this one."""
    try:
        return subprocess.Popen(command, stdin=options.pop("stdin", subprocess.DEVNULL), preexec_fn=_before_exec,
                                start_new_session=True, **options)
    except OSError as problem:
        raise Failure(f"{command[0]}: {problem.strerror}: run scripts/bench, which installs and builds") from problem


def run(*command, check=True, timeout=60):
    """What a command printed; fails with its complaint."""
    with start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, complaint = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"{' '.join(command)} took longer than {timeout} s") from None
    if check and process.returncode != 0:
        raise Failure(f"{' '.join(command)} gave {process.returncode}: {complaint.decode(errors='replace')[-400:].strip()}")
    return out.decode(errors="replace")


def _write(path, value):
    try:
        pathlib.Path(path).write_text(value)
        return True
    except OSError:
        return False


def be_first():
    """On a machine that others use too, what they do counts less for what is started from now on; True if we may."""
    mine = os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
        os.setpriority(os.PRIO_PROCESS, 0, mine)
    except OSError:
        return False
    _wanted["priority"] = PRIORITY
    return True


def enter():
    """Into a namespace of our own, with the kernel's TCP as the measurements want it."""
    enter_namespace()
    for name, value in {"tcp_congestion_control": "reno", "tcp_no_metrics_save": "1",
                        "ip_local_port_range": "1024 65535"}.items():
        _write(f"/proc/sys/net/ipv4/{name}", value)


def congestion_control():
    return pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()


def kernel_counter(name):
    """A counter of this namespace, such as TCPSynRetrans."""
    lines = pathlib.Path("/proc/net/netstat").read_text().splitlines()
    for names, values in zip(lines[::2], lines[1::2]):
        table = dict(zip(names.split()[1:], values.split()[1:]))
        if name in table:
            return int(table[name])
    return 0


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"processor": cpu.group(1) if cpu else platform.machine(), "cores": os.cpu_count(),
            "kernel": platform.release(), "congestion_control": congestion_control(),
            "load_average": round(os.getloadavg()[0], 2)}
