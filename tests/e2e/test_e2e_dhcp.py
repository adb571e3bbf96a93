"""wireside as a client of real DHCP servers: lease, renew, rebind, a changed range, the lease given back, its loss."""
import json
import re
import time

import pytest

from e2e_support import HOST, Wireside, wait_for
from wireside_lab import make_tap, remove_tap, run

MAC = "02:00:5e:00:53:57"


@pytest.fixture
def tap(lan):
    name = make_tap()
    run("ip", "link", "set", name, "master", lan)
    yield name
    remove_tap(name)


@pytest.fixture
def client(tap):
    """Starts subcommands with --dhcp; what still runs at the end is killed."""
    started = []

    def start(subcommand, *arguments, mac=MAC):
        started.append(Wireside(tap, subcommand, *arguments, address=("--dhcp", "--mac", mac)))
        return started[-1]

    yield start
    for process in started:
        process.kill()


def leased(process, within=20):
    """The lease that `wireside dhcp --json` printed."""
    status, out, err = process.end(None, within)
    assert status == 0, err
    return json.loads(out)


def last_octet(address):
    return int(address.split("/")[0].rsplit(".", 1)[1])


def ping(address):
    return run("ping", "-c", "1", "-W", "2", address, check=False).returncode == 0


@pytest.mark.requirement("DHCP-02", "DHCP-06", "DHCP-09")
def test_lease(make_server, client):
    make_server(first=50, last=60)
    status, out, err = client("dhcp", "--release").end(None, 20)
    assert status == 0, err
    for text in ("-> DHCPDISCOVER (option 53 = 1)", "<- DHCPOFFER (option 53 = 2)", "-> DHCPREQUEST (option 53 = 3)",
                 "<- DHCPACK (option 53 = 5)", "-> DHCPRELEASE (option 53 = 7)", "lease      120 s", f"server     {HOST}",
                 "mtu        1400", "domain     lab.example", f"ntp        {HOST}"):
        assert text in out, f"{text} is missing:\n{out}"
    address = re.search(r"address    10\.9\.0\.(\d+)/24", out)
    assert address and 50 <= int(address[1]) <= 60


@pytest.mark.requirement("DHCP-13")
def test_renewing_keeps_the_address(make_server, client):
    make_server(t1=3, t2=100)
    process = client("serve", "--trace")
    seen = wait_for(process, "RENEWING -> BOUND (DHCPACK received)", times=2)
    address = re.search(r"(10\.9\.0\.\d+)/24 from DHCP server", seen)[1]
    assert f"IP {address}.68 > {HOST}.67: DHCPREQUEST" in seen and "is lost" not in seen
    assert ping(address)


@pytest.mark.requirement("DHCP-14")
def test_rebinding_with_a_server_that_was_away(make_server, client):
    server = make_server(t1=3, t2=6)
    process = client("serve", "--trace")
    wait_for(process, "CHECKING -> BOUND")
    server.stop()
    seen = wait_for(process, "RENEWING -> REBINDING (T2 reached)")
    address = re.search(r"(10\.9\.0\.\d+)/24 from DHCP server", seen)[1]
    assert re.search(rf"IP {re.escape(address)}\.68 > 255\.255\.255\.255\.67: DHCPREQUEST", seen)
    assert ping(address), "the address is ours until the lease ends"
    process.kill()


@pytest.mark.requirement("DHCP-14")
def test_a_server_that_is_back_answers_the_rebinding(make_server, client):
    server = make_server(t1=3, t2=8)
    process = client("serve", "--trace")
    wait_for(process, "CHECKING -> BOUND")
    server.stop()
    wait_for(process, "BOUND -> RENEWING (T1 reached)")
    server.start()
    wait_for(process, "REBINDING -> BOUND (DHCPACK received)")


@pytest.mark.requirement("DHCP-12", "DHCP-19")
def test_a_changed_range_is_refused_and_a_new_address_given(make_server, client, tmp_path):
    path = tmp_path / "lease.json"
    server = make_server(first=50, last=50)
    assert leased(client("dhcp", "--json", "--lease-file", str(path)))["address"] == "10.9.0.50/24"
    server.stop()
    for database in tmp_path.glob("*.leases*"):
        database.unlink()
    make_server(first=80, last=80)
    status, out, err = client("dhcp", "--lease-file", str(path)).end(None, 25)
    assert status == 0, err
    assert "STOPPED -> INIT-REBOOT" in out and "<- DHCPNAK (option 53 = 6)" in out and "10.9.0.80/24" in out, out


@pytest.mark.requirement("DHCP-19")
def test_the_lease_of_before_is_confirmed(make_server, client, tmp_path):
    path = tmp_path / "lease.json"
    make_server()
    first = leased(client("dhcp", "--json", "--lease-file", str(path)))
    status, out, err = client("dhcp", "--lease-file", str(path)).end(None, 20)
    assert status == 0 and "REBOOTING -> CHECKING (DHCPACK received)" in out, out + err
    assert first["address"] in out and "DISCOVER" not in out


@pytest.mark.requirement("DHCP-20")
def test_a_released_address_can_be_had_by_another(make_server, client):
    make_server(first=70, last=70)
    assert leased(client("dhcp", "--json", "--release"))["address"] == "10.9.0.70/24"
    second = client("dhcp", "--json", "--keep", mac="02:00:5e:00:53:58")
    assert leased(second)["address"] == "10.9.0.70/24"
    third = client("dhcp", "--timeout", "6", mac="02:00:5e:00:53:59")  # the second one kept it
    status, _, err = third.end(None, 20)
    assert status == 1 and "no DHCP server gave an address" in err


@pytest.mark.requirement("DHCP-17")
def test_without_a_server_the_lease_ends(make_server, client):
    server = make_server()
    if server.program == "dnsmasq":
        pytest.skip("dnsmasq gives no lease below two minutes")
    server.stop()
    server.lease, server.t1, server.t2 = 6, 2, 4
    server.start()
    process = client("serve")
    address = re.search(r"(10\.9\.0\.\d+)/24", wait_for(process, "from DHCP server"))[1]
    server.stop()
    assert ping(address)
    wait_for(process, f"the address {address} is lost: the lease expired")
    assert not ping(address)


@pytest.mark.requirement("DHCP-20")
def test_a_server_ends_by_releasing(make_server, client):
    make_server()
    process = client("serve", "--trace")
    wait_for(process, "from DHCP server")
    status, _, err = process.end()
    assert status == 0 and "DHCPRELEASE (option 53 = 7)" in err and "BOUND -> STOPPED (lease released)" in err
    assert last_octet(re.search(r"(10\.9\.0\.\d+)/24", err)[1]) in range(50, 61)


def test_a_stop_while_the_address_is_checked_gives_it_back(make_server, tap, client):
    make_server(first=70, last=70)
    process = Wireside(tap, "dhcp", address=("--dhcp", "--mac", MAC), acd=True)
    try:
        end = time.monotonic() + 15
        while b"-> CHECKING" not in process.output()[0]:
            assert time.monotonic() < end, process.output()
            time.sleep(0.05)
        status, out, err = process.end()
    finally:
        process.kill()
    assert status == 1 and "CHECKING -> STOPPED (lease released)" in out and "-> DHCPRELEASE (option 53 = 7)" in out, out + err
    second = client("dhcp", "--json", "--keep", mac="02:00:5e:00:53:58")
    assert leased(second)["address"] == "10.9.0.70/24"


@pytest.mark.requirement("DHCP-09")
def test_broadcast_address_and_host_name_of_the_server(make_server, client, tmp_path):
    path = tmp_path / "lease.json"
    make_server()
    status, out, err = client("dhcp", "--lease-file", str(path)).end(None, 20)
    assert status == 0 and "broadcast  10.9.0.255\n" in out, out + err
    kept = json.loads(path.read_text())
    assert kept["broadcast"] == "10.9.0.255"
    assert "host name  labhost\n" in out and kept["host_name"] == "labhost", out


@pytest.mark.requirement("DHCP-21")
def test_inform(make_server, tap, client):
    make_server()
    process = Wireside(tap, "dhcp", "--inform")
    try:
        status, out, err = process.end(None, 15)
    finally:
        process.kill()
    assert status == 0 and "domain     lab.example" in out, err
