// All connections. One that has nothing to do rests: what must outlive that is packed into a few octets, and the rest
// of its transmission control block is given back until something happens to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/deadline_queue.hpp"
#include "base/intrusive_list.hpp"
#include "base/slot_map.hpp"
#include "tcp/connection.hpp"
#include "tcp/flow_key.hpp"
#include "tcp/rest_codec.hpp"
#include "tcp/shared_options.hpp"

namespace wireside::tcp {

/// What is there of a connection always.
struct ConnectionRecord : DeadlineNode {
  FlowKey flow;
  std::uint32_t slot = 0;             ///< its own index in the table
  std::unique_ptr<Connection> awake;  ///< or, at rest, what follows
  RestOctets rest;
  SharedOptions options;
};

/// Whether nothing of the connection would be lost at rest: it is established, nothing is queued, in flight or owed, no
/// timer but keep-alive's runs, and the application has been told everything.
[[nodiscard]] bool may_rest(const Connection& c);

class ConnectionTable {
 public:
  explicit ConnectionTable(const RttEstimator::Bounds& bounds) : bounds_{bounds} {}

  /// How many connections that could rest stay awake, those that were used last: data that comes now and then does not
  /// wake a connection each time.
  void set_most_awake(std::size_t connections) { most_awake_ = connections; }

  Connection& emplace(std::uint32_t id, const FourTuple& tuple, const ConnectionOptions& options);
  /// The connection, woken if it was at rest. What this returns is good until the next call of settle().
  [[nodiscard]] Connection* find(ConnectionHandle h) {
    ConnectionRecord* r = records_.find(h);
    return r == nullptr ? nullptr : &awake(*r);
  }
  /// The connection if it is there and awake, else nullptr.
  [[nodiscard]] Connection* find_awake(ConnectionHandle h) const {
    const ConnectionRecord* r = records_.find(h);
    return r == nullptr ? nullptr : r->awake.get();
  }
  /// By its slot, where one is; woken if it was at rest.
  [[nodiscard]] Connection& at(std::uint32_t slot) { return awake(records_.known_at(slot)); }
  /// The connection if it is awake, else nullptr.
  [[nodiscard]] Connection* awake_at(std::uint32_t slot) const { return records_.known_at(slot).awake.get(); }
  [[nodiscard]] const FlowKey& flow_at(std::uint32_t slot) const { return records_.known_at(slot).flow; }
  /// Whose deadline was `due`; the node has left its queue.
  [[nodiscard]] Connection& owner_of(DeadlineNode& node, Instant due) {
    auto& r = static_cast<ConnectionRecord&>(node);
    if (r.awake) return *r.awake;
    Connection& c = wake(r);
    c.timers.set(TimerKind::KeepAlive, due);  // at rest there is no other
    return c;
  }
  void erase(ConnectionHandle h);
  [[nodiscard]] std::size_t size() const { return records_.size(); }
  /// Those that are not at rest.
  [[nodiscard]] std::size_t count_awake() const { return awake_; }

  /// To be called when something was done to the connection: sooner or later it rests, if it may. No reference to any
  /// connection is good afterwards.
  void settle(Connection& c) {
    if (resting_soon_count_ < most_awake_) {  // all can stay as they are, for all this one matters
      if (!static_cast<ListNode<RestListTag>&>(c).is_linked()) lie_down(c);
      return;
    }
    if (!may_rest(c)) return stir(c);
    lie_down(c);
    while (resting_soon_count_ > most_awake_) put_to_rest(*resting_soon_.front());
  }
  void settle(ConnectionHandle h) {
    if (Connection* c = find_awake(h); c != nullptr) settle(*c);
  }

  /// Calls f(handle, flow) for each connection, which f may erase.
  template <class F>
  void for_each(F&& f) const {
    records_.for_each([&](ConnectionHandle h, const ConnectionRecord& r) { f(h, r.flow); });
  }
  /// Calls f(connection) for the one, which stays at rest if it is; false where there is none.
  template <class F>
  bool look_at(ConnectionHandle h, F&& f) const {
    const ConnectionRecord* r = records_.find(h);
    if (r == nullptr) return false;
    r->awake ? f(std::as_const(*r->awake)) : f(std::as_const(*unpacked(h, *r)));
    return true;
  }
  template <class F>
  void look_at(std::uint32_t slot, F&& f) const {
    (void)look_at(records_.handle_at(slot), std::forward<F>(f));
  }
  /// Calls f(connection) for each; those at rest stay so.
  template <class F>
  void look_at_each(F&& f) const {
    records_.for_each([&](ConnectionHandle h, const ConnectionRecord& r) {
      r.awake ? f(std::as_const(*r.awake)) : f(std::as_const(*unpacked(h, r)));
    });
  }

 private:
  [[nodiscard]] Connection& awake(ConnectionRecord& r) { return r.awake ? *r.awake : wake(r); }
  Connection& wake(ConnectionRecord& r);
  void put_to_rest(Connection& c);
  [[nodiscard]] static RestOctets packed(Connection& c);
  static void unpack(const ConnectionRecord& r, Connection& c);
  [[nodiscard]] std::unique_ptr<Connection> unpacked(ConnectionHandle h, const ConnectionRecord& r) const;
  void lie_down(Connection& c) {
    if (!static_cast<ListNode<RestListTag>&>(c).is_linked()) ++resting_soon_count_;
    resting_soon_.push_back(c);
  }
  void stir(Connection& c) {
    auto& node = static_cast<ListNode<RestListTag>&>(c);
    if (!node.is_linked()) return;
    node.unlink();
    --resting_soon_count_;
  }

  RttEstimator::Bounds bounds_;
  std::size_t most_awake_ = 0;
  std::size_t awake_ = 0;
  OptionsStore options_;
  SlotMap<ConnectionRecord, ConnectionTag> records_;
  // Those that may rest, the one used last at the end. While there are few it is no use to know either of them exactly.
  IntrusiveList<Connection, RestListTag> resting_soon_;
  std::size_t resting_soon_count_ = 0;
};

}  // namespace wireside::tcp
