"""`wireside ss`, `neigh`, `route`, `addr` and `stats` about a running `wireside serve`, and the socket they ask."""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time

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
        assert re.search(r"^LISTEN +0 +\d+ +0\.0\.0\.0:80 +0\.0\.0\.0:\*$", listening, re.M), listening
        assert "ESTAB" not in listening and listening.startswith("State")
        established = ask("ss", "-tnio").stdout
        assert re.search(rf"^ESTAB +0 +0 +{DUT}:80 +{HOST}:\d+", established, re.M), established
        assert re.search(r"rto:\d+ rtt:\S+ mss:1448 cwnd:\d+ ", established), established
        assert "LISTEN" in ask("ss", "-ta").stdout and "UNCONN" in ask("ss", "-ua").stdout
        (connection,) = [c for c in json.loads(ask("ss", "-t", "-j").stdout) if c["state"] == "ESTABLISHED"]
        assert connection["info"]["mss"] == 1448


def test_the_other_tables(server, tap):
    assert re.search(rf"^{HOST} dev {tap} lladdr \S+ \w+$", ask("neigh").stdout, re.M)
    routes = ask("route").stdout
    assert f"default via {HOST} dev {tap} proto static" in routes
    assert f"10.77.0.0/16 via {HOST} dev {tap} proto static metric 10" in routes
    assert f"10.9.0.0/24 dev {tap} proto kernel scope link src {DUT}" in routes
    addresses = ask("addr").stdout
    index = socket.if_nametoindex(tap)
    assert re.search(rf"^{index}: {tap}: <BROADCAST,UP,LOWER_UP> mtu 1500 state UP$", addresses, re.M), addresses
    assert json.loads(ask("addr", "-j").stdout)[0]["ifindex"] == index
    assert f"    inet {DUT}/24 brd 10.9.0.255 scope global {tap}\n" in addresses
    assert "       valid_lft forever preferred_lft forever\n" in addresses
    counters = json.loads(ask("stats", "-j").stdout)[0]["counters"]
    assert counters["TcpPassiveOpens"] >= 1 and counters["ArpInRequests"] >= 1
    assert "IpReasmFails" not in ask("stats").stdout and re.search(r"^IpInReceives +\d+$", ask("stats").stdout, re.M)


def test_what_users_of_iproute2_type(server, tap):
    everything = ask("ss", "-tulpn").stdout
    assert re.search(rf'^tcp +LISTEN .*0\.0\.0\.0:80 .*users:\(\("wireside",pid={server.process.pid}\)\)$', everything, re.M)
    assert re.search(r"^udp +UNCONN .*0\.0\.0\.0:7 ", everything, re.M) and everything.startswith("Netid")
    assert not ask("ss", "-tlH").stdout.startswith("State")
    for words in (["addr", "show"], ["addr", "show", "dev", tap], ["address", "show", tap], ["addr", "ls"]):
        assert f"inet {DUT}/24" in ask(*words).stdout
    for words in (["route", "show"], ["route", "list", "dev", tap]):
        assert f"default via {HOST}" in ask(*words).stdout
    assert ask("route", "show", "cache").stdout == ""
    assert HOST in ask("neigh", "show").stdout and ask("neighbour", "show", "dev", "other0").stdout == ""
    only = ask("stats", "-a", "Tcp*").stdout
    assert "TcpPassiveOpens" in only and "IpInReceives" not in only
    assert "servers: (none)" in ask("dns").stdout
    assert json.loads(ask("dns", "-j").stdout)[0]["statistics"]["queries"] == 0


def test_one_route_and_one_neighbour(server, tap):
    assert ask("route", "show", "default").stdout == f"default via {HOST} dev {tap} proto static\n"
    assert ask("route", "show", "10.77.0.0/16").stdout == f"10.77.0.0/16 via {HOST} dev {tap} proto static metric 10\n"
    assert ask("route", "show", "10.0.0.0/8").stdout == ""
    assert [r["dst"] for r in json.loads(ask("route", "show", "default", "-j").stdout)] == ["default"]
    assert re.fullmatch(rf"{HOST} dev {tap} lladdr \S+ \w+\n", ask("neigh", "show", HOST).stdout)
    assert ask("neigh", "show", "10.9.0.88").stdout == "" and HOST in ask("neigh", "show", "to", "10.9.0.0/24").stdout
    assert [n["dst"] for n in json.loads(ask("neigh", "show", HOST, "-j").stdout)] == [HOST]


def test_the_way_to_an_address(server, tap):
    assert ask("route", "get", "192.0.2.7").stdout == f"192.0.2.7 via {HOST} dev {tap} src {DUT} \n    cache\n"
    assert ask("route", "get", "to", "10.9.0.5").stdout == f"10.9.0.5 dev {tap} src {DUT} \n    cache\n"
    assert ask("route", "get", DUT).stdout == f"local {DUT} dev lo src {DUT} \n    cache <local>\n"
    assert ask("route", "get", "10.9.0.255").stdout.startswith(f"broadcast 10.9.0.255 dev {tap} src {DUT} ")
    (way,) = json.loads(ask("route", "get", "192.0.2.7", "-j").stdout)
    assert way == {"dst": "192.0.2.7", "gateway": HOST, "dev": tap, "prefsrc": DUT, "flags": [], "cache": []}
    done = ask("route", "get", "0.1.2.3", check=False)
    assert done.returncode == 1 and "no route to 0.1.2.3" in done.stderr
    for words in (["get"], ["get", "nonsense"], ["get", HOST, "more"]):
        done = ask("route", *words, check=False)
        assert done.returncode == 2 and "route get 192.0.2.7" in done.stderr, done.stderr


@pytest.mark.parametrize("words, text", [(["route", "add", "10.1.0.0/16", "via", HOST], "--route"),
                                         (["addr", "del", "10.9.0.2/24"], "not changed"), (["neigh", "flush"], "not changed"),
                                         (["route", "sideways"], "'sideways' is not understood")])
def test_a_running_wireside_is_not_changed(sockets, words, text):
    done = ask(*words, check=False)
    assert done.returncode == 2 and text in done.stderr and "try:" in done.stderr


def test_an_interface_that_is_not_there(server):
    done = ask("addr", "show", "dev", "other0", check=False)
    assert done.returncode == 1 and "no interface other0" in done.stderr


def test_after_kill_9_nobody_answers(server, sockets, tap):
    server.kill()
    assert (sockets / f"{tap}.sock").exists()
    done = ask("ss", check=False)
    assert done.returncode == 1 and "no wireside is running" in done.stderr
    done = ask("ss", "--control", str(sockets / f"{tap}.sock"), check=False)
    assert done.returncode == 1 and "has ended" in done.stderr and "try:" in done.stderr


def test_two_at_once_must_be_told_apart(server, sockets, tap, wireside, tmp_path):
    # The socket's name is the TAP's; the first one's is given another so that a second process can hold it.
    os.rename(sockets / f"{tap}.sock", sockets / "moved.sock")
    other = str(sockets / "other.sock")
    second = subprocess.Popen([wireside_binary(), "serve", "--tap", "wsother0", "--ip", "10.8.0.2/24", "--no-acd",
                               "--control", other, "--root", str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert "serving" in second.stdout.readline()
        done = ask("ss", check=False)
        assert done.returncode == 1 and "several wireside are running" in done.stderr
        assert tap in done.stderr and "wsother0" in done.stderr and "--tap NAME" in done.stderr
        assert "10.8.0.2" in ask("addr", "--tap", "wsother0").stdout and DUT in ask("addr", "--tap", tap).stdout
        assert "10.8.0.2" in ask("addr", "--control", other).stdout
    finally:
        second.kill()
        second.wait()


def test_it_is_found_from_a_shell_without_the_folders_name(tap, wireside, tmp_path, monkeypatch):
    monkeypatch.delenv("WIRESIDE_RUNTIME_DIR")
    folder = f"/run/user/{os.geteuid()}"
    made = not os.path.isdir(folder)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    try:
        wireside("serve", "--root", str(tmp_path)).wait_until_up()
        monkeypatch.delenv("XDG_RUNTIME_DIR")
        assert DUT in ask("addr", "--tap", tap).stdout
    finally:
        if made:
            shutil.rmtree(folder, ignore_errors=True)


def control(path, octets):
    """The lines that come back for the octets, until nothing more comes or the connection ends."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(0.5)
        s.connect(str(path))
        s.sendall(octets)
        got = b""
        try:
            while block := s.recv(65536):
                got += block
        except (TimeoutError, ConnectionResetError):  # what was not read of a request that is too long
            pass
    return [json.loads(line) for line in got.splitlines()]


def test_the_protocol_of_the_socket(server, sockets, tap):
    path = sockets / f"{tap}.sock"
    hello, addresses = control(path, b'{"op":"hello","more":1}\n{"op":"addr"}\n')  # both at once
    assert hello == {"ok": True, "command": "serve", "pid": server.process.pid, "hello": [tap]}
    assert addresses["addr"][0]["addr_info"][0]["valid_life_time"] == 4294967295
    for wrong, text in ((b"{}\n", "no \"op\""), (b"nonsense\n", "no JSON object"), (b"[1]\n", "no JSON object"),
                        (b'{"op":"dance"}\n', "stats and dns are known"), (b"x" * 5000, "4096 octets at most"),
                        (b"\xff\x00\n", "no JSON object")):
        (answer,) = control(path, wrong)
        assert answer["ok"] is False and text in answer["message"], wrong
    assert [a["ok"] for a in control(path, b'{"op":1}\n{"op":"ss"}\n')] == [False, True], "an error is not the end"


def test_clients_that_say_nothing_do_no_harm(server, sockets, tap):
    path = str(sockets / f"{tap}.sock")
    idle = []
    try:
        for _ in range(40):
            idle.append(socket.socket(socket.AF_UNIX))
            idle[-1].connect(path)  # without a time limit: on a busy machine the queue may be full for a moment
        assert run("curl", "-sS", "-o", "/dev/null", "--max-time", "5", f"http://{DUT}/").returncode == 0
    finally:
        for s in idle:
            s.close()
    end = time.monotonic() + 3
    while ask("ss", "-t", check=False).returncode != 0:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_tentative_address(sockets, wireside, tap):
    wireside("serve", "--root", "/tmp", acd=True)
    end = time.monotonic() + 3
    while "tentative" not in (shown := ask("addr", check=False).stdout):
        assert time.monotonic() < end, shown
        time.sleep(0.05)
    assert f"inet {DUT}/24 brd 10.9.0.255 scope global tentative {tap}" in shown


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


def test_what_killed_processes_left_is_swept(sockets, tap, wireside, tmp_path):
    sockets.mkdir(mode=0o700)
    for name, age in (("old.sock", 100), ("new.sock", 0)):
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(str(sockets / name))
        os.utime(sockets / name, (time.time() - age,) * 2)
    (sockets / "file.sock").write_text("no socket")
    os.utime(sockets / "file.sock", (1, 1))
    wireside("serve", "--root", str(tmp_path)).wait_until_up()
    assert sorted(p.name for p in sockets.iterdir()) == sorted(["file.sock", "new.sock", f"{tap}.sock"])


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
