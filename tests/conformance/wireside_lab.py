"""A network namespace for the tests, TAP interfaces in it, and the wireside binary.

The namespace is anonymous and belongs to this process: two runs at once never meet, and the kernel removes
everything in it when the process ends, however it ends.
"""
import ctypes
import itertools
import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS = 0x10000000, 0x40000000, 0x00020000
_entered = False
_numbers = itertools.count()


def _unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"unshare: {os.strerror(errno)} (run as root, or allow user namespaces)")


def enter_namespace():
    """Moves this process into a network namespace of its own (once)."""
    global _entered
    if _entered:
        return
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        _unshare(CLONE_NEWNET)
    else:
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        pathlib.Path("/proc/self/setgroups").write_text("deny")
        pathlib.Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        pathlib.Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    _entered = True
    run("ip", "link", "set", "lo", "up")
    for name, value in {
        "ipv6/conf/all/disable_ipv6": "1",
        "ipv6/conf/default/disable_ipv6": "1",
        "ipv4/tcp_congestion_control": "reno",
    }.items():
        try:
            pathlib.Path("/proc/sys/net", name).write_text(value)
        except OSError:  # the kernel may lack it, or not let an ordinary user choose; the tests do not depend on it
            pass


def run(*command, check=True, timeout=30, **options):
    """Runs a command; its output is in the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} gave {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def fresh_tap_name():
    return f"ws{next(_numbers)}"


def make_tap(mtu=1500, address=None):
    """A persistent TAP, up; without `address` the kernel's IP does not use it. Returns its name."""
    name = fresh_tap_name()
    run("ip", "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr")
    run("ip", "link", "set", name, "mtu", str(mtu))
    if address:
        run("ip", "address", "add", address, "dev", name)
    run("ip", "link", "set", name, "txqueuelen", "5000", "up")
    return name


def remove_tap(name):
    run("ip", "link", "delete", name, check=False)


def wireside_binary():
    """The command under test: $WIRESIDE, else the newest build of this tree."""
    given = os.environ.get("WIRESIDE")
    if given:
        if not os.access(given, os.X_OK):
            raise RuntimeError(f"WIRESIDE={given} is no program")
        return str(pathlib.Path(given).resolve())
    built = [*REPOSITORY.glob("build*/apps/wireside"), *REPOSITORY.glob("build/*/apps/wireside")]
    built = [b for b in built if os.access(b, os.X_OK)]
    if not built:
        raise RuntimeError("no wireside binary: build it (scripts/test does) or set WIRESIDE=/path/to/wireside")
    return str(max(built, key=lambda b: b.stat().st_mtime))
