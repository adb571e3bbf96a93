"""DHCP (RFC 2131, 2132, 3396, 3442, 4361, 6842): `wireside dhcp` against a server that the test plays with scapy."""
import json
import re
import subprocess
import time

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from wireside_dhcp import BROADCAST, GIVEN, SERVER_IP, Client, option
from wireside_lab import wireside_binary


@pytest.fixture
def client():
    with Client("dhcp", "--json") as c:
        yield c


def lease_of(client):
    status, out, err = client.end()
    assert status == 0, err
    return json.loads(out)


@pytest.mark.requirement("DHCP-02", "DHCP-03", "DHCP-04", "DHCP-05", "DHCP-06", "DHCP-09")
@pytest.mark.parametrize("unicast", [True, False])
def test_the_exchange_of_the_textbook(client, unicast):
    discover, request = client.server.lease(unicast=unicast, options=["+", ("router", SERVER_IP)])
    for frame in (discover, request):
        assert (frame.dst, frame[IP].src, frame[IP].dst) == (BROADCAST, "0.0.0.0", "255.255.255.255")
        assert (frame[UDP].sport, frame[UDP].dport) == (68, 67)
        bootp = frame[BOOTP]
        assert (bootp.op, bootp.htype, bootp.hlen, bootp.ciaddr) == (1, 1, 6, "0.0.0.0")
        assert bytes(bootp.options) == b"c\x82Sc" and "end" in frame[DHCP].options
        assert bootp.flags == 0
    assert request[BOOTP].xid == discover[BOOTP].xid and request[BOOTP].secs == discover[BOOTP].secs
    assert option(request, "server_id") == SERVER_IP and option(request, "requested_addr") == GIVEN
    assert option(discover, "server_id") is None
    for name in ("client_id", "param_req_list"):
        assert option(discover, name) is not None and option(discover, name) == option(request, name)
    lease = lease_of(client)
    assert lease["address"] == f"{GIVEN}/24" and lease["server"] == SERVER_IP and lease["lease_s"] == 600
    assert lease["routers"] == [SERVER_IP]


def test_the_four_messages_are_shown():
    with Client("dhcp") as client:
        client.server.lease()
        status, out, _ = client.end()
    assert status == 0
    for text in ("-> DHCPDISCOVER (option 53 = 1)", "<- DHCPOFFER (option 53 = 2)", "-> DHCPREQUEST (option 53 = 3)",
                 "<- DHCPACK (option 53 = 5)", f"address    {GIVEN}/24"):
        assert text in out, out


@pytest.mark.requirement("DHCP-07")
def test_discover_is_repeated_after_four_seconds(client):
    first = client.server.expect("DISCOVER")
    client.server.quiet(2.5)
    again = client.server.expect("DISCOVER", within=3.5)
    assert again[BOOTP].xid == first[BOOTP].xid and again[BOOTP].secs >= 2


@pytest.mark.requirement("DHCP-12")
def test_nak_in_requesting_begins_anew(client):
    server = client.server
    discover = server.expect("DISCOVER")
    server.reply("OFFER", discover)
    server.reply("NAK", server.expect("REQUEST"), unicast=False)
    assert server.expect("DISCOVER", within=1.5)[BOOTP].xid != discover[BOOTP].xid


@pytest.mark.requirement("DHCP-22")
def test_options_in_file_and_sname_and_in_parts(client):
    discover = client.server.expect("DISCOVER")
    client.server.reply("OFFER", discover)
    request = client.server.expect("REQUEST")
    # 52 = 3: file first, then sname; the domain name (15) is spread over all three fields.
    message = client.server.message("ACK", request, options=[
        ("message-type", 5), ("pad"), (52, b"\x03"), (15, b"exam"), ("server_id", SERVER_IP), "end"])
    message.file = b"\x0f\x04ple.\x33\x04\x00\x00\x02\x58\xff".ljust(128, b"\0")
    message.sname = b"\x0f\x03net\x01\x04\xff\xff\xff\x00\xff".ljust(64, b"\0")
    client.server.put(message, request.src, GIVEN)
    lease = lease_of(client)
    assert lease["domain"] == "example.net" and lease["lease_s"] == 600 and lease["address"] == f"{GIVEN}/24"


@pytest.mark.requirement("DHCP-22")
def test_long_options_are_joined(client):
    routes = b"".join(bytes([24, 172, 16, i]) + bytes([10, 9, 0, 3]) for i in range(60))
    parts = [(121, routes[i:i + 255]) for i in range(0, len(routes), 255)]
    assert len(parts) == 2
    client.server.lease(options=["+", *parts])
    lease = lease_of(client)
    assert len(lease["routes"]) == 60 and lease["routes"][59] == {"to": "172.16.59.0/24", "via": "10.9.0.3"}


@pytest.mark.requirement("DHCP-23")
@pytest.mark.parametrize("damage", ["no type", "no server", "server of three octets", "option past the end", "short",
                                    "lease of zero", "wrong cookie", "another xid", "another chaddr", "another client id",
                                    "a request", "address zero", "the broadcast address"])
def test_bad_offers_are_not_taken(client, damage):
    server = client.server
    discover = server.expect("DISCOVER")
    normal = [("message-type", 2), ("server_id", SERVER_IP), ("lease_time", 600), ("subnet_mask", "255.255.255.0"), "end"]
    changed = {
        "no type": {"options": normal[1:]},
        "no server": {"options": normal[:1] + normal[2:]},
        "server of three octets": {"options": [normal[0], (54, b"\x0a\x09\x00"), *normal[2:]]},
        "lease of zero": {"lease": 0},
        "another xid": {"xid": discover[BOOTP].xid ^ 1},
        "another chaddr": {"chaddr": b"\x02\x00\x00\x00\x00\x09" + bytes(10)},
        "another client id": {"options": ["+", ("client_id", b"\x01\x02\x03")]},
        "a request": {"op": 1},
        "address zero": {"yiaddr": "0.0.0.0"},
        "the broadcast address": {"yiaddr": "10.9.0.255"},
    }
    message = bytes(server.message("OFFER", discover, **changed.get(damage, {})))
    if damage == "option past the end":
        message = message[:-1] + b"\x0c\xff"
    elif damage == "short":
        message = message[:239]
    elif damage == "wrong cookie":
        message = message.replace(b"c\x82Sc", b"c\x82Sd")
    server.put(Raw(message), discover.src, GIVEN)
    server.quiet(0.4)
    server.reply("OFFER", discover)  # it still listens
    server.expect("REQUEST", within=1.5)


@pytest.mark.requirement("DHCP-24")
def test_one_offer_is_chosen_the_others_are_let_go(client):
    discover = client.server.expect("DISCOVER")
    client.server.reply("OFFER", discover, yiaddr="10.9.0.60", server="10.9.0.4", source="10.9.0.4", to="10.9.0.60")
    client.server.reply("OFFER", discover)
    request = client.server.expect("REQUEST")
    assert option(request, "requested_addr") == "10.9.0.60" and option(request, "server_id") == "10.9.0.4"
    client.server.reply("ACK", request)  # of the server that was not chosen
    client.server.reply("ACK", request, yiaddr="10.9.0.60", server="10.9.0.4", source="10.9.0.4", to="10.9.0.60")
    assert lease_of(client)["address"] == "10.9.0.60/24"


@pytest.mark.requirement("DHCP-25")
def test_an_ack_out_of_the_blue_is_ignored(client):
    discover = client.server.expect("DISCOVER")
    client.server.reply("ACK", discover)
    client.server.quiet(0.4)
    assert client.process.poll() is None


@pytest.mark.requirement("DHCP-13", "DHCP-14", "DHCP-17", "DHCP-18")
def test_renewing_rebinding_and_the_end():
    times = [(58, (2).to_bytes(4, "big")), (59, (4).to_bytes(4, "big"))]
    with Client("serve", "-q") as client:
        server = client.server
        server.lease(lease=7, options=["+", *times])
        client.wait_for(f"{GIVEN}/24 from DHCP server {SERVER_IP}, lease 7 s")
        renew = server.expect("REQUEST")
        assert (renew[IP].src, renew[IP].dst, renew[BOOTP].ciaddr) == (GIVEN, SERVER_IP, GIVEN)
        assert option(renew, "server_id") is None and option(renew, "requested_addr") is None
        rebind = server.expect("REQUEST")
        assert (rebind.dst, rebind[IP].dst, rebind[BOOTP].ciaddr) == (BROADCAST, "255.255.255.255", GIVEN)
        assert rebind[BOOTP].xid != renew[BOOTP].xid
        again = server.expect("DISCOVER")  # the lease is over
        assert again[IP].src == "0.0.0.0" and option(again, "requested_addr") == GIVEN
        client.wait_for(f"the address {GIVEN} is lost: the lease expired")
        server.reply("OFFER", again)
        server.reply("ACK", server.expect("REQUEST"))
        client.wait_for("lease 600 s")
        client.interrupt()


@pytest.mark.requirement("DHCP-12")
def test_nak_while_renewing_takes_the_address_down():
    with Client("serve", "-q") as client:
        client.server.lease(lease=60, options=["+", (58, (1).to_bytes(4, "big"))])
        client.server.reply("NAK", client.server.expect("REQUEST"), options=["+", ("error_message", b"moved")])
        client.server.expect("DISCOVER", within=1.5)
        client.wait_for(f"the address {GIVEN} is lost")
        client.wait_for("refuses the address: moved")


def ask(path, *arguments):
    return subprocess.run([wireside_binary(), *arguments, "--control", path], capture_output=True, text=True, check=True,
                          timeout=10).stdout


def test_tables_show_the_lease(tmp_path):
    path = str(tmp_path / "control.sock")
    with Client("serve", "-q", "--control", path) as client:
        client.server.lease(options=["+", ("router", SERVER_IP), ("name_server", "10.9.0.3", "10.9.0.4"),
                                     ("domain", b"lab.example")])
        client.wait_for(f"{GIVEN}/24 from DHCP server {SERVER_IP}")
        addresses = ask(path, "addr")
        found = re.search(rf"inet {GIVEN}/24 brd 10\.9\.0\.255 scope global dynamic {client.tap}\n"
                          r" +valid_lft (\d+)sec preferred_lft (\d+)sec\n", addresses)
        assert found and 590 <= int(found[1]) <= 600 and found[1] == found[2], addresses
        time.sleep(1.1)
        (address,) = json.loads(ask(path, "addr", "-j"))[0]["addr_info"]
        assert address["dynamic"] and address["valid_life_time"] < int(found[1])
        assert f"default via {SERVER_IP} dev {client.tap} proto dhcp src {GIVEN}" in ask(path, "route")
        names = json.loads(ask(path, "dns", "-j"))[0]  # the lease's servers are asked for names
        assert names["servers"] == ["10.9.0.3", "10.9.0.4"] and names["search"] == ["lab.example."]


def test_dns_servers_of_the_command_line_come_before_those_of_the_lease(tmp_path):
    path = str(tmp_path / "control.sock")
    with Client("serve", "-q", "--control", path, "--dns", "10.9.0.9") as client:
        client.server.lease(options=["+", ("name_server", "10.9.0.3")])
        client.wait_for(f"{GIVEN}/24 from DHCP server {SERVER_IP}")
        assert json.loads(ask(path, "dns", "-j"))[0]["servers"] == ["10.9.0.9"]


@pytest.mark.parametrize("options", [[], [(90, bytes([1, 1, 0]) + (1).to_bytes(8, "big") + bytes(20))]],
                         ids=["plain", "authenticated with an unknown key"])
def test_forcerenew_is_ignored(options):
    # RFC 3203 section 6: one that is not authenticated must be discarded; there is no key that could prove any.
    with Client("serve", "-q") as client:
        _, request = client.server.lease()
        client.wait_for(f"{GIVEN}/24 from DHCP server {SERVER_IP}")
        for xid in (request[BOOTP].xid, 7):
            client.server.reply("ACK", request, to=GIVEN, xid=xid, yiaddr="0.0.0.0", options=[
                ("message-type", 9), ("server_id", SERVER_IP), *options, "end"])
        client.server.quiet(1.5)
        assert "lost" not in client.output()[1] and client.process.poll() is None


@pytest.mark.requirement("DHCP-20")
def test_release_on_a_clean_stop():
    with Client("serve", "-q") as client:
        _, request = client.server.lease()
        client.wait_for("serving")
        client.process.send_signal(15)
        release = client.server.expect("RELEASE")
        assert (release[IP].src, release[IP].dst, release[BOOTP].ciaddr) == (GIVEN, SERVER_IP, GIVEN)
        assert option(release, "server_id") == SERVER_IP and option(release, "client_id") == option(request, "client_id")
        assert option(release, "requested_addr") is None and option(release, "param_req_list") is None
        client.server.quiet(0.5)
        assert client.end()[0] == 0


@pytest.mark.requirement("DHCP-19", "DHCP-12")
def test_init_reboot_from_the_lease_file(tmp_path):
    path = tmp_path / "lease.json"
    with Client("dhcp", "--json", "--lease-file", str(path)) as client:
        discover, _ = client.server.lease()
        first = lease_of(client)
    assert json.loads(path.read_text())["mac"] == first["mac"]
    with Client("dhcp", "--json", "--lease-file", str(path)) as client:
        request = client.server.expect("REQUEST")
        assert request[BOOTP].chaddr == discover[BOOTP].chaddr and request[BOOTP].ciaddr == "0.0.0.0"
        assert option(request, "requested_addr") == GIVEN and option(request, "server_id") is None
        client.server.reply("ACK", request)
        assert lease_of(client)["address"] == f"{GIVEN}/24"
    with Client("dhcp", "--json", "--lease-file", str(path)) as client:
        client.server.reply("NAK", client.server.expect("REQUEST"), unicast=False)
        assert option(client.server.expect("DISCOVER", within=1.5), "requested_addr") is None
        client.wait_for("refuses the address")
    assert not path.exists()


@pytest.mark.requirement("DHCP-19")
def test_silence_in_init_reboot_keeps_a_lease_that_runs(tmp_path):
    path = tmp_path / "lease.json"
    with Client("dhcp", "--lease-file", str(path)) as client:
        client.server.lease()
        assert client.end()[0] == 0
    with Client("dhcp", "--json", "--lease-file", str(path)) as client:
        client.server.expect("REQUEST")
        client.server.expect("REQUEST")
        assert client.end(20)[0] == 0 and json.loads(client.output()[0])["address"] == f"{GIVEN}/24"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"mac": 1}', "\x00" * 100000],
                         ids=["empty", "cut off", "an array", "a wrong field", "zeros"])
def test_a_broken_lease_file_is_told_and_left_aside(tmp_path, content):
    path = tmp_path / "lease.json"
    path.write_text(content)
    with Client("dhcp", "--json", "--lease-file", str(path)) as client:
        client.server.lease()
        assert lease_of(client)["address"] == f"{GIVEN}/24"
        assert "starting without it" in client.output()[1]


@pytest.mark.requirement("DHCP-21")
def test_inform():
    with Client("dhcp", "--inform", address="10.9.0.2/24") as client:
        inform = client.server.expect("INFORM")
        assert (inform[BOOTP].ciaddr, inform[IP].src) == ("10.9.0.2", "10.9.0.2")
        assert option(inform, "lease_time") is None and option(inform, "requested_addr") is None
        client.server.reply("ACK", inform, yiaddr="0.0.0.0", to="10.9.0.2", options=[
            ("message-type", 5), ("server_id", SERVER_IP), ("name_server", "10.9.0.53"), "end"])
        status, out, _ = client.end()
    assert status == 0 and "dns        10.9.0.53" in out


@pytest.mark.requirement("DHCP-26")
def test_the_address_is_announced(client):
    discover = client.server.expect("DISCOVER")
    client.server.reply("OFFER", discover)
    request = client.server.expect("REQUEST")
    client.server.reply("ACK", request)
    client.server.socket.settimeout(3)
    for _ in range(20):
        frame = Ether(client.server.socket.recv(65536))
        if ARP in frame and frame[ARP].psrc == GIVEN and frame[ARP].pdst == GIVEN:
            return
    raise AssertionError("no announcement")


def test_host_name_and_vendor_class():
    with Client("dhcp", "--hostname", "probe-7") as client:
        discover = client.server.expect("DISCOVER")
        assert option(discover, "hostname") == b"probe-7" and option(discover, "vendor_class_id") == b"wireside"


def test_nobody_answers():
    with Client("dhcp", "--timeout", "1") as client:
        status, out, err = client.end()
    assert status == 1 and "no DHCP server gave an address within 1 s" in err and "try:" in err


def test_link_local_when_no_server_answers():
    with Client("dhcp", "--link-local", "--json") as client:
        client.server.expect("DISCOVER")
        client.server.expect("DISCOVER")
        status, out, err = client.end(25)
    lease = json.loads(out)
    assert status == 0 and lease["address"].startswith("169.254.") and lease["address"].endswith("/16")


@pytest.mark.parametrize("arguments", [["--ip", "10.9.0.2/24"], ["--gateway", "10.9.0.1"], ["--hostname", "a b"],
                                       ["--inform", "--release"]])
def test_options_that_exclude_each_other(arguments):
    with Client("serve" if "--inform" not in arguments else "dhcp", *arguments) as client:
        status, _, err = client.end()
    assert status == 2 and "try:" in err
