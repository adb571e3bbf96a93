#include "agent_help.hpp"

namespace wireside::agent {

const std::string_view protocol_help = R"(PROTOCOL
  One JSON object a line, each answered by one line with the same "id" (any value):
    {"id":1,"op":"open","kind":"stream"}      ->  {"id":1,"ok":true,"socket":1}
    {"id":2,"op":"connect","socket":1,"address":"10.0.0.1","port":80}
                                              ->  {"id":2,"ok":false,"error":"ECONNREFUSED","message":"..."}
  "error" is an errno name. Answers come when the operation is done, in any order; several may be outstanding.

OPERATIONS (fields in [] may be left out)
  open [kind]                      kind: stream (TCP), datagram (UDP), echo (ICMP echo); gives "socket"
  bind socket [address port]       gives "local"
  listen socket [backlog]
  accept socket [timeout_ms]       gives "socket" and "peer" of the connection
  connect socket address port [timeout_ms]
  send socket OCTETS [timeout_ms]  answered when all fitted into the send buffer; gives "sent"
  recv socket [max|exactly|until_eof as timeout_ms]
                                   gives "length", "eof" and "data", "hex" or "sha256"
  sendto socket address port OCTETS
  recvfrom socket [max as timeout_ms]
                                   gives also "from", "to", "ttl", "tos", "ip_options" (hex), "full_length"
  recverr socket [timeout_ms]      an ICMP error about what was sent (set the option report_errors first): gives "errno",
                                   "type", "code", "offender" (who sent it), "local", "peer", "mtu"
  resolve name [timeout_ms]        host name to "addresses", asked of the servers of --dns
  shutdown socket [how]            how: send (default), receive, both
  close socket, abort socket       orderly end; reset
  set_option socket name value, get_option socket [name]
  status socket                    all of the connection by the RFC's names
  list                             sockets, and every connection of the stack
  wait socket for [timeout_ms]     for: readable, writable, connected, closed
  events [on kinds frames]         kinds: received sent drop state timer window rtt rto neighbour gateway dns
                                   address dhcp_state dhcp_message dhcp_unanswered impaired
  counters, config                 drops by reason, buffers in use; settings
  cancel target                    gives up the operation with that id (its error is ECANCELED)
  quit                             resets every connection and ends

  OCTETS is one of "data" (text), "hex", "zeros" (a count), "pattern" (a count: octet i is (offset + i) mod 251;
  with "offset" where it begins). "as" is auto (text or hex), data, hex or digest (length and sha256 only).
  Without timeout_ms an operation waits for ever; 0 does not wait. Time running out is the error EAGAIN, with what was
  done so far. A line that is no request is answered with an error and changes nothing.
  At the end of standard input, operations that have a timeout are finished first.

EXAMPLE
  printf '%s\n' '{"op":"open"}' '{"op":"connect","socket":1,"address":"10.0.0.1","port":7,"timeout_ms":2000}' \
    | wireside agent --tap tap0 --ip 10.0.0.2/24

docs/agent.md tells more.)";

}  // namespace wireside::agent
