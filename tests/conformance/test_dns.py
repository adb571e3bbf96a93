"""The stub resolver (RFC 1035, RFC 5452) against a server that the test plays, by the agent's operation `resolve`."""
import itertools

import pytest
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, UDP

from wireside_dut import DutError
from wireside_wire import PEER_IP

DUT_ARGUMENTS = ["--dns", PEER_IP]

_numbers = itertools.count(1)


@pytest.fixture
def name():
    """A name that the cache cannot know."""
    return f"host{next(_numbers)}.lab"


def expect_query(wire):
    return wire.expect(lambda f: UDP in f and f[UDP].dport == 53, "a DNS query", within=3)


def reply(wire, query, answers=(), rcode=0, **changed):
    """The query's answer; `changed` makes it one that does not match."""
    dns = query[DNS]
    records = None
    for owner, kind, data, ttl in answers:
        record = DNSRR(rrname=owner, type=kind, rdata=data, ttl=ttl)
        records = record if records is None else records / record
    question = DNSQR(qname=changed.get("qname", dns.qd.qname), qtype="A")
    message = DNS(id=changed.get("id", dns.id), qr=1, rd=1, ra=1, rcode=rcode, qd=question, an=records,
                  ancount=len(answers))
    wire.send(wire.packet(src=changed.get("src", PEER_IP)) / UDP(
        sport=changed.get("sport", 53), dport=changed.get("dport", query[UDP].sport)) / message)


def test_an_address_with_its_ttl_and_then_from_the_cache(dut, wire, name):
    call = dut.start("resolve", name=name, timeout_ms=5000)
    query = expect_query(wire)
    assert query[IP].dst == PEER_IP and query[DNS].qd.qname.decode() == f"{name}." and query[DNS].rd == 1
    reply(wire, query, [(f"{name}.", "A", "192.0.2.7", 300)])
    answer = call.result()
    assert answer["addresses"] == [{"address": "192.0.2.7", "ttl": 300}]
    assert answer["name"] == f"{name}." and answer["server"] == f"{PEER_IP}:53" and not answer["over_tcp"]
    again = dut.call("resolve", name=name.upper(), timeout_ms=1000)
    assert again["addresses"][0]["address"] == "192.0.2.7" and again["server"] is None
    wire.expect_none(lambda f: UDP in f and f[UDP].dport == 53, within=0.1)


def test_aliases(dut, wire, name):
    call = dut.start("resolve", name=name, timeout_ms=5000)
    reply(wire, expect_query(wire), [(f"{name}.", "CNAME", f"web.{name}.", 60), (f"web.{name}.", "A", "192.0.2.8", 30)])
    answer = call.result()
    assert answer["aliases"] == [{"name": f"{name}.", "target": f"web.{name}.", "ttl": 60}]
    assert answer["addresses"] == [{"address": "192.0.2.8", "ttl": 30}]


@pytest.mark.parametrize("changed", ["id", "source", "server's port", "our port", "another question"])
def test_an_answer_that_does_not_match_is_ignored(dut, wire, name, changed):
    call = dut.start("resolve", name=name, timeout_ms=5000)
    query = expect_query(wire)
    forged = {"id": {"id": query[DNS].id ^ 1}, "source": {"src": "10.9.0.77"}, "server's port": {"sport": 54},
              "our port": {"dport": query[UDP].sport ^ 1}, "another question": {"qname": f"other.{name}."}}[changed]
    reply(wire, query, [(f"{name}.", "A", "192.0.2.66", 300)], **forged)
    wire.echo_works()
    assert not call.done()
    reply(wire, query, [(f"{name}.", "A", "192.0.2.7", 300)])
    assert [a["address"] for a in call.result()["addresses"]] == ["192.0.2.7"]


def test_ids_and_ports_differ(dut, wire):
    seen = set()
    for _ in range(8):
        call = dut.start("resolve", name=f"host{next(_numbers)}.lab", timeout_ms=3000)
        query = expect_query(wire)
        seen.add((query[DNS].id, query[UDP].sport))
        reply(wire, query, rcode=3)
        with pytest.raises(DutError, match="EAI_NONAME"):
            call.result()
    assert len({i for i, _ in seen}) >= 7 and len({p for _, p in seen}) >= 7, seen


@pytest.mark.parametrize("rcode, answers, error", [(3, [], "EAI_NONAME"), (0, [], "EAI_NODATA|EAI_FAIL"), (2, [], "EAI_FAIL"),
                                                   (5, [], "EAI_FAIL")])
def test_failures(dut, wire, name, rcode, answers, error):
    call = dut.start("resolve", name=name, timeout_ms=8000)
    reply(wire, expect_query(wire), answers, rcode=rcode)
    with pytest.raises(DutError, match=error):
        call.result()


def test_time_runs_out_and_cancel(dut, wire, name):
    with pytest.raises(DutError, match="EAGAIN"):
        dut.call("resolve", name=name, timeout_ms=100)
    call = dut.start("resolve", name=name)
    dut.call("cancel", target=call.request["id"])
    with pytest.raises(DutError, match="ECANCELED"):
        call.result()
    assert dut.call("config")["dns_servers"] == [f"{PEER_IP}:53"]


@pytest.mark.parametrize("wrong", ["", "a..b", "x" * 64, "under_score!", "1.2.3"])
def test_what_is_no_name(dut, wrong):
    with pytest.raises(DutError, match="EINVAL"):
        dut.call("resolve", name=wrong, timeout_ms=1000)


def test_a_dotted_quad_needs_no_server(dut, wire):
    answer = dut.call("resolve", name="192.0.2.9", timeout_ms=1000)
    assert answer["addresses"][0]["address"] == "192.0.2.9" and answer["server"] is None
    wire.expect_none(lambda f: UDP in f and f[UDP].dport == 53, within=0.05)
