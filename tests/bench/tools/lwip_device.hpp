// lwIP's network interface on a TAP: frames are read into blocks that the stack takes over, and written from its
// chains.
#pragma once

#include <vector>

#include <lwip/netif.h>
#include <lwip/pbuf.h>

namespace bench {

class LwipDevice {
 public:
  /// Ends the program with a message where the TAP cannot be had.
  LwipDevice(const char* name, const ip4_addr_t& address);
  LwipDevice(const LwipDevice&) = delete;
  LwipDevice& operator=(const LwipDevice&) = delete;

  /// Gives the stack what there is to read, up to a bound.
  void read_all();
  /// Sleeps until there is something to read or lwIP's next timer is due.
  void wait() const;

 private:
  struct Block;
  static err_t set_up(netif* interface);
  static err_t send(netif* interface, pbuf* chain);
  static void give_back(pbuf* p);
  Block* take_block();

  int tap_;
  netif interface_{};
  std::vector<Block*> free_;
};

}  // namespace bench
