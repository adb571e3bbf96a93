"""Fixtures of the conformance tests: one device under test per module, everything else fresh per test."""
import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from wireside_dut import Dut  # noqa: E402
from wireside_lab import enter_namespace  # noqa: E402
from wireside_linux import LinuxDut, check_place, mark_items  # noqa: E402

_ports = itertools.count(20000)


def pytest_configure(config):
    config.addinivalue_line("markers", "requirement(*ids): requirements this test proves")


def pytest_addoption(parser):
    parser.addoption("--target", choices=("wireside", "linux"), default="wireside",
                     help="the stack under test: wireside, or the host's kernel in a namespace")


def pytest_collection_modifyitems(config, items):
    if config.getoption("target") == "linux":
        mark_items(items)
    for item in items:  # into the JUnit report, for the conformance page
        for marker in item.iter_markers("requirement"):
            item.user_properties.extend(("requirement", identifier) for identifier in marker.args)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    check_place(item, call, outcome.get_result())


@pytest.fixture(scope="session", autouse=True)
def namespace(tmp_path_factory):
    enter_namespace()
    os.environ["WIRESIDE_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))  # control sockets of this run alone


@pytest.fixture(scope="module")
def shared_dut(namespace, request):
    """The module's device; DUT_ARGUMENTS (list) and DUT_SETTINGS (dict) at the module's top adjust it."""
    module = request.module
    target = LinuxDut if request.config.getoption("target") == "linux" else Dut
    dut = target(*getattr(module, "DUT_ARGUMENTS", []), **getattr(module, "DUT_SETTINGS", {}))
    yield dut
    dut.close()


@pytest.fixture
def dut(shared_dut):
    shared_dut.wire.restart()
    yield shared_dut
    assert shared_dut.alive(), f"the agent ended: {''.join(shared_dut.stderr)[-8000:]}"
    shared_dut.reset()


@pytest.fixture
def wire(dut):
    return dut.wire


@pytest.fixture
def port():
    """A port number nobody used before in this run."""
    return next(_ports)


class Tcp:
    """Opens connections between the device and a peer that the test plays."""

    def __init__(self, dut):
        self.dut = dut

    def passive(self, port=None, socket_options=None, **peer_settings):
        """The peer opens to a listener of the device. Gives (peer, accepted socket), both ESTABLISHED."""
        listener = self.dut.listen(port or next(_ports), **(socket_options or {}))
        peer = self.dut.wire.peer(listener.port, **peer_settings)
        peer.handshake()
        return peer, listener.accept()

    def active(self, socket_options=None, **peer_settings):
        """The device opens to the peer. Gives (peer, socket), both ESTABLISHED."""
        peer = self.dut.wire.peer(None, **peer_settings)
        socket = self.dut.open().option(**(socket_options or {}))
        call = socket.connect(peer.port)
        peer.expect("S")
        peer.send("SA", ack=1)
        peer.expect("A", seq=1, ack=1, length=0)
        socket.local = call.result()["local"]
        return peer, socket


@pytest.fixture
def tcp(dut):
    return Tcp(dut)
