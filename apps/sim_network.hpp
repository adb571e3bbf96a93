// Network: the stacks of a scenario, joined by impaired links under a virtual clock.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "impair/impairment.hpp"
#include "router.hpp"
#include "sim_scenario.hpp"
#include "stack.hpp"

namespace wireside::sim {

/// Addresses are given by themselves: link number i is 10.0.0.0/30 moved by 4 i, where its first node has .1 and its
/// second .2. Routers know the shortest way to every link. Neighbours know each other's MAC addresses from the start.
class Network {
 public:
  /// One end of a link.
  struct Interface {
    std::string node;
    std::string peer;
    bool is_host = false;
    std::size_t link = 0;
    std::size_t router = 0;  ///< of a router: its number
    bool forth = true;       ///< what it sends goes the link's way forth
    std::unique_ptr<Stack> stack;
    bool touched = true;          ///< may have something to say
    bool stirred = true;          ///< may have something to tell the applications
    bool deadline_known = false;  ///< `deadline` is what the stack would say
    Instant deadline{};
  };

  /// `frames_are_read`: somebody looks at the frames, so they need their checksums.
  Network(const Scenario& scenario, bool frames_are_read);

  [[nodiscard]] std::vector<Interface>& interfaces() { return interfaces_; }
  /// The interface of a host.
  [[nodiscard]] std::size_t host(const std::string& name) const;
  [[nodiscard]] Stack& stack(std::size_t interface) { return *interfaces_[interface].stack; }
  [[nodiscard]] Ipv4Address address(std::size_t interface) const;
  /// What a link did to frames one way.
  [[nodiscard]] const impair::Impairment::Counters& counters(std::size_t link, bool forth) const;

  /// When something happens next without a socket call; Instant::max() = never.
  [[nodiscard]] Instant next_deadline();
  /// Hands out the frames and time-outs that are due.
  void advance(Instant now);
  /// Lets packets and frames go as far as they can at this instant, after advance() or after socket calls.
  void send(Instant now);
  /// After a socket call on its stack.
  void touch(std::size_t interface) { touch(interfaces_[interface]); }

 private:
  struct LinkState {
    std::size_t a = 0, b = 0;  ///< interfaces
    impair::Impairment forth, back;
  };
  struct RouterState {
    wireside::Router router;
    std::vector<std::size_t> interfaces;
    bool awake = true;  ///< may have packets to forward
  };
  static void touch(Interface& interface) {
    interface.touched = interface.stirred = true;
    interface.deadline_known = false;
  }
  static Instant deadline_of(Interface& interface) {
    if (!interface.deadline_known) interface.deadline = interface.stack->next_deadline().value_or(Instant::max());
    interface.deadline_known = true;
    return interface.deadline;
  }
  std::size_t add_interface(const Scenario& scenario, std::size_t link, bool forth);
  void introduce(std::size_t to, std::size_t neighbour);
  void add_routers(const Scenario& scenario);
  void add_routes(const Scenario& scenario, const std::string& name, RouterState& state);
  void deliver(Instant now, impair::Impairment& way, std::size_t to);

  bool leave_checksums_;
  BufferPool pool_;
  FrameOut frame_;  // used by send() alone
  std::vector<Interface> interfaces_;
  std::vector<std::unique_ptr<LinkState>> links_;
  std::vector<std::unique_ptr<RouterState>> routers_;
};

}  // namespace wireside::sim
