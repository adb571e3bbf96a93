"""Fixtures of the end-to-end tests: a namespace, TAPs whose kernel side is 10.9.0.1, and running subcommands."""
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "conformance")]

from dhcp_servers import SERVERS  # noqa: E402
from e2e_support import HOST, Wireside  # noqa: E402
from wireside_lab import enter_namespace, make_tap, remove_tap, run  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(*ids): requirements this test proves")


def pytest_collection_modifyitems(items):
    for item in items:  # into the JUnit report, as in the conformance tests
        for marker in item.iter_markers("requirement"):
            item.user_properties.extend(("requirement", identifier) for identifier in marker.args)


@pytest.fixture(scope="session", autouse=True)
def namespace():
    enter_namespace()


@pytest.fixture(autouse=True)
def sockets(tmp_path, monkeypatch):
    """The folder of this test's control sockets, which are not those of other tests or users."""
    folder = tmp_path / "run"
    monkeypatch.setenv("WIRESIDE_RUNTIME_DIR", str(folder))
    return folder


@pytest.fixture(autouse=True)
def no_other_routes():
    """Each test's TAP is the only one with the addresses."""
    yield
    assert "10.9.0.1" not in run("ip", "-4", "address").stdout, "a TAP was left behind"


@pytest.fixture
def tap():
    name = make_tap(address=f"{HOST}/24")
    yield name
    remove_tap(name)


@pytest.fixture
def lan():
    """A bridge with the servers' address; a port that is always up keeps it running when no wireside is there."""
    run("ip", "link", "add", "lan0", "address", "02:99:00:00:00:01", "type", "bridge", "forward_delay", "0")
    run("ip", "link", "add", "lanport0", "type", "veth", "peer", "name", "lanport1")
    run("ip", "link", "set", "lanport1", "arp", "off", "up")
    run("ip", "link", "set", "lanport0", "master", "lan0", "up")
    run("ip", "address", "add", f"{HOST}/24", "dev", "lan0")
    run("ip", "link", "set", "lan0", "up")
    yield "lan0"
    run("ip", "link", "delete", "lan0")
    run("ip", "link", "delete", "lanport0")


@pytest.fixture(params=SERVERS)
def make_server(request, lan, tmp_path):
    """Starts servers of one kind on the bridge."""
    kind = SERVERS[request.param]
    if kind.missing():
        pytest.fail(kind.missing())
    started = []

    def make(**settings):
        started.append(kind(lan, tmp_path, **settings).start())
        return started[-1]

    yield make
    for server in started:
        server.stop()


@pytest.fixture
def wireside(tap):
    """Starts subcommands on the test's TAP; what still runs at the end is killed."""
    started = []

    def start(subcommand, *arguments, **settings):
        started.append(Wireside(tap, subcommand, *arguments, **settings))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture(scope="session")
def make_file(tmp_path_factory):
    """A file of so many octets that no compression or repetition helps; made once per size."""
    folder = tmp_path_factory.mktemp("files")

    def make(octets):
        path = folder / f"{octets}.bin"
        if not path.exists():
            with open("/dev/urandom", "rb") as source, open(path, "wb") as target:
                left = octets
                while left > 0:
                    left -= target.write(source.read(min(left, 1 << 20)))
        return path

    return make
