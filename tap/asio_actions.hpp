// What each asynchronous operation does at every attempt: thin steps on the socket table.
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/buffers_iterator.hpp>
#include <boost/asio/socket_base.hpp>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "asio_core.hpp"

namespace wireside::net::detail {

inline MutableByteView octets_of(const boost::asio::mutable_buffer& b) {
  return {static_cast<std::uint8_t*>(b.data()), b.size()};
}
inline ByteView octets_of(const boost::asio::const_buffer& b) {
  return {static_cast<const std::uint8_t*>(b.data()), b.size()};
}

/// Moves octets buffer by buffer with `call(view) -> Result<size_t>` until one comes back short.
/// Gives the total, or the first call's error; later errors show up again at the next call.
template <class Buffer, class Buffers, class Call>
Result<std::size_t> for_each_buffer(const Buffers& buffers, Call&& call) {
  std::size_t total = 0;
  const auto end = boost::asio::buffer_sequence_end(buffers);
  for (auto it = boost::asio::buffer_sequence_begin(buffers); it != end; ++it) {
    const auto view = octets_of(Buffer{*it});
    if (view.empty()) continue;
    const Result<std::size_t> n = call(view);
    if (!n && total == 0) return n;
    if (!n) break;
    total += *n;
    if (*n < view.size()) break;
  }
  return total;
}

template <class Buffers>
Result<std::size_t> receive_some(SocketCore& core, const Buffers& buffers) {
  const Instant now = core.runtime().now();
  const auto n = for_each_buffer<boost::asio::mutable_buffer>(
      buffers, [&](MutableByteView v) { return core.table().receive(now, core.handle(), v); });
  if (n) core.kick();
  return n;
}

/// Sends buffer by buffer, but what is in small pieces, as the header that Beast's serializer makes, as one.
class Gathering {
 public:
  /// `send`: ByteView -> Result<std::size_t>. False: no more is taken.
  template <class Send>
  bool add(ByteView view, Send& send) {
    if (view.size() <= room_.size() - pending_.size()) {
      if (pending_.empty()) return pending_ = view, true;  // perhaps it is the only one
      if (pending_.data() != room_.data()) std::copy(pending_.begin(), pending_.end(), room_.begin());
      std::copy(view.begin(), view.end(), room_.begin() + static_cast<std::ptrdiff_t>(pending_.size()));
      pending_ = {room_.data(), pending_.size() + view.size()};
      return true;
    }
    return flush(send) && (view.size() <= room_.size() ? (pending_ = view, true) : pass(view, send));
  }
  template <class Send>
  bool flush(Send& send) {
    return pending_.empty() || pass(std::exchange(pending_, {}), send);
  }
  /// The total, or the first call's error; later errors show up again at the next call.
  [[nodiscard]] Result<std::size_t> result() const {
    if (total_ == 0 && error_) return fail(*error_);
    return total_;
  }

 private:
  template <class Send>
  bool pass(ByteView view, Send& send) {
    const Result<std::size_t> n = send(view);
    if (!n) return error_ = n.error(), false;
    total_ += *n;
    return *n == view.size();
  }
  std::array<std::uint8_t, 1024> room_;
  ByteView pending_;
  std::size_t total_ = 0;
  std::optional<Error> error_;
};

template <class Buffers>
Result<std::size_t> send_some(SocketCore& core, const Buffers& buffers) {
  const Instant now = core.runtime().now();
  const auto send = [&](ByteView v) { return core.table().send(now, core.handle(), v); };
  Gathering gathering;
  bool more = true;
  // Once through: a step from one of Beast's buffers to the next is not cheap.
  const auto end = boost::asio::buffer_sequence_end(buffers);
  for (auto it = boost::asio::buffer_sequence_begin(buffers); more && it != end; ++it) {
    more = gathering.add(octets_of(boost::asio::const_buffer{*it}), send);
  }
  if (more) gathering.flush(send);
  const auto n = gathering.result();
  if (n) core.kick();
  return n;
}

template <class Buffers>
struct ReadAction {
  Buffers buffers;
  std::size_t octets = 0;
  bool operator()(SocketCore& core, error_code& ec) {
    if (boost::asio::buffer_size(buffers) == 0) return true;
    const auto n = receive_some(core, buffers);
    if (!n) return !core.must_wait(n.error(), ec);
    octets = *n;
    if (octets == 0) ec = boost::asio::error::eof;
    return true;
  }
  auto take() { return std::tuple{octets}; }
};

template <class Buffers>
struct WriteAction {
  Buffers buffers;
  std::size_t octets = 0;
  bool operator()(SocketCore& core, error_code& ec) {
    const auto n = send_some(core, buffers);
    if (!n) return !core.must_wait(n.error(), ec);
    octets = *n;
    return true;
  }
  auto take() { return std::tuple{octets}; }
};

/// Borrowing send: all of the slice or nothing yet.
struct SendSliceAction {
  Slice slice;
  std::size_t octets = 0;
  bool operator()(SocketCore& core, error_code& ec) {
    const auto sent = core.table().send_slice(core.runtime().now(), core.handle(), slice);
    if (!sent) return !core.must_wait(sent.error(), ec);
    core.kick();
    octets = slice.size();
    slice = Slice{};
    return true;
  }
  auto take() { return std::tuple{octets}; }
};

/// Borrowing receive: the next octets where they lie.
struct ReceiveSliceAction {
  std::size_t max;
  Slice slice;
  bool operator()(SocketCore& core, error_code& ec) {
    auto received = core.table().receive_slice(core.runtime().now(), core.handle(), max);
    if (!received) return !core.must_wait(received.error(), ec);
    core.kick();
    slice = std::move(*received);
    if (slice.empty()) ec = boost::asio::error::eof;
    return true;
  }
  auto take() { return std::tuple{std::move(slice)}; }
};

/// Borrowing receive of everything there is, within bounds: one turn of the loop for many small segments.
struct ReceiveSlicesAction {
  SliceList* out;
  std::size_t max;
  bool operator()(SocketCore& core, error_code& ec) {
    out->clear();
    const Instant now = core.runtime().now();
    Result<Slice> received{};
    while (!out->full() && out->octets() < max) {
      received = core.table().receive_slice(now, core.handle(), max - out->octets());
      if (!received || received->empty()) break;
      out->push_back(std::move(*received));
    }
    if (!out->empty()) {
      core.kick();
      return true;
    }
    if (!received) return !core.must_wait(received.error(), ec);
    ec = boost::asio::error::eof;
    return true;
  }
  auto take() { return std::tuple{out->octets()}; }
};

struct ConnectAction {
  Endpoint peer;
  bool started = false;
  bool operator()(SocketCore& core, error_code& ec) {
    if (!started) {
      started = true;
      const auto result = core.table().connect(core.runtime().now(), core.handle(), peer);
      core.kick();
      if (result) return true;
      if (result.error() == Error::InProgress) return false;
      ec = to_error_code(result.error());
      return true;
    }
    if (core.connected()) return true;
    return !core.must_wait(Error::WouldBlock, ec);
  }
  auto take() { return std::tuple{}; }
};

struct WaitAction {
  boost::asio::socket_base::wait_type type;
  bool operator()(SocketCore& core, error_code& ec) const {
    using boost::asio::socket_base;
    if (type == socket_base::wait_read && core.table().is_readable(core.handle())) return true;
    if (type == socket_base::wait_write && core.table().is_writable(core.handle())) return true;
    error_code failure;  // a failed socket is ready for everything; only wait_error names the failure
    if (core.must_wait(Error::WouldBlock, failure)) return false;
    if (type == socket_base::wait_error) ec = failure;
    return true;
  }
  auto take() { return std::tuple{}; }
};

/// Sends one datagram gathered from all buffers; without `peer` to the connected one.
template <class Buffers>
struct SendDatagramAction {
  Buffers buffers;
  std::optional<Endpoint> peer;
  std::size_t octets = 0;
  bool operator()(SocketCore& core, error_code& ec) {
    const auto begin = boost::asio::buffer_sequence_begin(buffers);
    const auto end = boost::asio::buffer_sequence_end(buffers);
    Result<std::size_t> n{};
    if (begin != end && std::next(begin) == end) {
      n = send(core, octets_of(boost::asio::const_buffer{*begin}));
    } else {
      const std::vector<std::uint8_t> whole(boost::asio::buffers_begin(buffers), boost::asio::buffers_end(buffers));
      n = send(core, whole);
    }
    core.kick();
    if (!n) return !core.must_wait(n.error(), ec);
    octets = *n;
    return true;
  }
  Result<std::size_t> send(SocketCore& core, ByteView view) const {
    const Instant now = core.runtime().now();
    return peer ? core.table().send_to(now, core.handle(), view, *peer) : core.table().send(now, core.handle(), view);
  }
  auto take() { return std::tuple{octets}; }
};

/// Receives one datagram scattered over all buffers; what does not fit is lost (facts.full_length tells).
template <class Buffers>
struct ReceiveDatagramAction {
  Buffers buffers;
  ReceivedDatagram* facts;
  Endpoint* from;
  std::size_t octets = 0;
  bool operator()(SocketCore& core, error_code& ec) {
    const auto begin = boost::asio::buffer_sequence_begin(buffers);
    const auto end = boost::asio::buffer_sequence_end(buffers);
    Result<ReceivedDatagram> received{};
    if (begin != end && std::next(begin) == end) {
      received = core.table().receive_from(core.handle(), octets_of(boost::asio::mutable_buffer{*begin}));
    } else {
      std::vector<std::uint8_t> whole(boost::asio::buffer_size(buffers));
      received = core.table().receive_from(core.handle(), whole);
      if (received) boost::asio::buffer_copy(buffers, boost::asio::buffer(whole.data(), received->octets));
    }
    core.kick();
    if (!received) return !core.must_wait(received.error(), ec);
    octets = received->octets;
    if (facts != nullptr) *facts = *received;
    if (from != nullptr) *from = received->from;
    return true;
  }
  auto take() { return std::tuple{octets}; }
};

}  // namespace wireside::net::detail
