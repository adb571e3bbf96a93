"""`wireside ss`, `neigh`, `route`, `addr` and `stats` about a running `wireside serve`."""
import json
import os
import re
import socket
import stat

import pytest

from e2e_support import DUT, HOST
from wireside_lab import run, wireside_binary


@pytest.fixture
def server(sockets, wireside, tmp_path):
    folder = tmp_path / "www"
    folder.mkdir()
    return wireside("serve", "--root", str(folder), options=["--route", f"10.77.0.0/16,via={HOST},metric=10"]).wait_until_up()


def ask(*arguments, check=True):
    return run(wireside_binary(), *arguments, check=check)


def test_the_socket_is_for_the_owner_alone_and_goes_with_the_process(server, sockets, tap):
    path = sockets / f"{tap}.sock"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(sockets).st_mode) == 0o700
    assert server.end()[0] == 0
    assert not path.exists()


def test_ss_shows_listeners_and_connections(server):
    with socket.create_connection((DUT, 80)):
        listening = ask("ss", "-tln").stdout
        assert re.search(rf"^tcp +LISTEN +0 +\d+ +0\.0\.0\.0:80 +0\.0\.0\.0:\*$", listening, re.M), listening
        assert "ESTAB" not in listening
        established = ask("ss", "-tnio").stdout
        assert re.search(rf"^tcp +ESTAB +0 +0 +{DUT}:80 +{HOST}:\d+", established, re.M), established
        assert re.search(r"rto:\d+ rtt:\S+ mss:1448 cwnd:\d+ ssthresh:\d+", established), established
        assert "LISTEN" in ask("ss", "-ta").stdout and "UNCONN" in ask("ss", "-ua").stdout
        (connection,) = [c for c in json.loads(ask("ss", "-t", "-j").stdout) if c["state"] == "ESTABLISHED"]
        assert connection["info"]["mss"] == 1448


def test_the_other_tables(server, tap):
    assert re.search(rf"^{HOST} dev {tap} lladdr \S+ \w+$", ask("neigh").stdout, re.M)
    routes = ask("route").stdout
    assert f"default via {HOST} dev {tap} proto static" in routes
    assert f"10.77.0.0/16 via {HOST} dev {tap} proto static metric 10" in routes
    assert f"10.9.0.0/24 dev {tap} proto kernel scope link src {DUT}" in routes
    assert f"inet {DUT}/24 brd 10.9.0.255" in ask("addr").stdout
    counters = json.loads(ask("stats", "-j").stdout)[0]["counters"]
    assert counters["TcpPassiveOpens"] >= 1 and counters["ArpInRequests"] >= 1
    assert "IpReasmFails" not in ask("stats").stdout and re.search(r"^IpInReceives +\d+$", ask("stats").stdout, re.M)


def test_none_running_and_none_with_the_tap(sockets):
    done = ask("ss", check=False)
    assert done.returncode == 1 and "no wireside is running" in done.stderr and "try:" in done.stderr


def test_no_wireside_with_that_tap_lists_those_there_are(server, tap):
    done = ask("ss", "--tap", "nonsuch", check=False)
    assert done.returncode == 1 and tap in done.stderr and "nonsuch" in done.stderr


def test_a_stale_socket_is_replaced(sockets, tap, wireside, tmp_path):
    sockets.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(sockets / f"{tap}.sock"))  # closed without unlinking: nobody answers
    wireside("serve", "--root", str(tmp_path)).wait_until_up()
    assert tap in ask("addr").stdout


def test_no_control_opens_none(sockets, tap, wireside, tmp_path):
    wireside("serve", "--root", str(tmp_path), options=["--no-control"]).wait_until_up()
    assert not (sockets / f"{tap}.sock").exists()
    done = ask("ss", check=False)
    assert done.returncode == 1


@pytest.mark.parametrize("route", ["10.0.0.0/33", "10.2.0.0/16,via=x", "10.2.0.0/16,metric=-1", "10.2.0.0/16,colour=red",
                                   "10.2.0.0/16,via=172.16.0.1"])
def test_wrong_routes_are_refused(route):
    done = ask("serve", "--ip", f"{DUT}/24", "--route", route, check=False)
    assert done.returncode == 2 and "--route" in done.stderr and "try:" in done.stderr
