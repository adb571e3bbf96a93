// lwIP's raw API behind the services of services.hpp, and its own httpd on port 80. Ends at a signal.
//
// usage: lwip_server TAP ADDRESS
#include <array>
#include <cstdio>
#include <cstring>
#include <vector>

#include <lwip/apps/httpd.h>
#include <lwip/init.h>
#include <lwip/tcp.h>
#include <lwip/timeouts.h>
#include <lwip/udp.h>
#include "lwip_device.hpp"
#include "services.hpp"

namespace bench {
namespace {

std::vector<char>& buffer() {
  static std::vector<char> octets(buffer_octets, 'x');
  return octets;
}

err_t end(tcp_pcb* connection) {
  tcp_arg(connection, nullptr);
  tcp_recv(connection, nullptr);
  tcp_sent(connection, nullptr);
  tcp_poll(connection, nullptr, 0);
  if (tcp_close(connection) == ERR_OK) return ERR_OK;
  tcp_abort(connection);
  return ERR_ABRT;
}

err_t lend_discard(void*, tcp_pcb* connection, pbuf* chain, err_t) {
  if (chain == nullptr) return end(connection);
  tcp_recved(connection, chain->tot_len);
  pbuf_free(chain);
  return ERR_OK;
}

err_t discard(void* argument, tcp_pcb* connection, pbuf* chain, err_t error) {
  if (chain != nullptr) pbuf_copy_partial(chain, buffer().data(), chain->tot_len, 0);
  return lend_discard(argument, connection, chain, error);
}

err_t echo(void*, tcp_pcb* connection, pbuf* chain, err_t) {
  if (chain == nullptr) return end(connection);
  for (const pbuf* p = chain; p != nullptr; p = p->next) {
    if (tcp_write(connection, p->payload, p->len, TCP_WRITE_FLAG_COPY) != ERR_OK) break;
  }
  tcp_recved(connection, chain->tot_len);
  pbuf_free(chain);
  return tcp_output(connection);
}

err_t http(void*, tcp_pcb* connection, pbuf* chain, err_t) {
  if (chain == nullptr) return end(connection);
  std::array<char, 4096> gathered;
  std::string_view text{static_cast<const char*>(chain->payload), chain->len};
  if (chain->next != nullptr) text = {gathered.data(), pbuf_copy_partial(chain, gathered.data(), gathered.size(), 0)};
  const Requests requests = find_requests(text);
  for (std::size_t i = 0; i < requests.count; ++i) {
    (void)tcp_write(connection, http_answer.data(), static_cast<u16_t>(http_answer.size()), 0);
  }
  tcp_recved(connection, chain->tot_len);
  pbuf_free(chain);
  if (requests.close) return end(connection);
  return tcp_output(connection);
}

err_t feed(void*, tcp_pcb* connection, u16_t) {
  constexpr u16_t piece = 44 * TCP_MSS;
  while (tcp_sndbuf(connection) >= piece && tcp_write(connection, buffer().data(), piece, 0) == ERR_OK) {
  }
  return tcp_output(connection);
}

template <err_t (*Receive)(void*, tcp_pcb*, pbuf*, err_t), bool Source = false>
err_t accepted(void*, tcp_pcb* connection, err_t error) {
  if (error != ERR_OK || connection == nullptr) return ERR_VAL;
  tcp_nagle_disable(connection);
  tcp_recv(connection, Receive);
  if (Source) {
    tcp_sent(connection, feed);
    return feed(nullptr, connection, 0);
  }
  return ERR_OK;
}

tcp_accept_fn handler_of(Service service) {
  switch (service) {
    case Service::Discard:
      return accepted<discard>;
    case Service::LendDiscard:
      return accepted<lend_discard>;
    case Service::Source:
    case Service::LendSource:
      return accepted<lend_discard, true>;
    case Service::Echo:
      return accepted<echo>;
    case Service::Http:
      return accepted<http>;
  }
  return nullptr;
}

void echo_datagram(void*, udp_pcb* socket, pbuf* datagram, const ip_addr_t* from, u16_t port) {
  (void)udp_sendto(socket, datagram, from, port);
  pbuf_free(datagram);
}

bool listen_on_all() {
  for (const auto& s : tcp_services) {
    tcp_pcb* socket = tcp_new();
    if (socket == nullptr || tcp_bind(socket, IP4_ADDR_ANY, s.port) != ERR_OK) return false;
    socket = tcp_listen(socket);
    if (socket == nullptr) return false;
    tcp_accept(socket, handler_of(s.service));
  }
  udp_pcb* datagrams = udp_new();
  if (datagrams == nullptr || udp_bind(datagrams, IP4_ADDR_ANY, udp_echo_port) != ERR_OK) return false;
  udp_recv(datagrams, echo_datagram, nullptr);
  httpd_init();
  return true;
}

int run(int argc, char** argv) {
  ip4_addr_t address{};
  if (argc != 3 || ip4addr_aton(argv[2], &address) == 0) {
    std::fprintf(stderr, "usage: lwip_server TAP ADDRESS\n");
    return 2;
  }
  lwip_init();
  LwipDevice device{argv[1], address};
  if (!listen_on_all()) {
    std::fprintf(stderr, "lwip_server: out of memory\n");
    return 1;
  }
  std::printf("ready %zu\n", sizeof(tcp_pcb));
  std::fflush(stdout);
  while (true) {
    device.read_all();
    sys_check_timeouts();
    device.wait();
  }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::run(argc, argv); }
