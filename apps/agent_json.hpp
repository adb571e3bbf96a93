// JSON forms of what the agent speaks about: requests with checked fields, payloads, status, events.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "observe/event.hpp"
#include "tcp/tcp_types.hpp"

namespace wireside::agent {

/// An operation that cannot be done: becomes {"ok":false,"error":...,"message":...} with the details beside them.
struct Refusal {
  std::string error;    ///< errno name, such as "ECONNREFUSED"
  std::string message;  ///< one sentence
  boost::json::object details;
};

[[nodiscard]] Refusal refusal(Error error, boost::json::object details = {});
[[nodiscard]] Refusal invalid(std::string message);

/// Milliseconds: an integer where the duration is whole ones.
[[nodiscard]] boost::json::value milliseconds(Duration d);

/// One request with typed access to its fields. Accessors throw Refusal (EINVAL) that names the field.
class Request {
 public:
  explicit Request(boost::json::object fields) : fields_{std::move(fields)} {}

  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] const boost::json::value* find(std::string_view name) const;
  [[nodiscard]] std::uint64_t number(std::string_view name, std::uint64_t largest) const;
  [[nodiscard]] std::uint64_t number_or(std::string_view name, std::uint64_t largest, std::uint64_t otherwise) const;
  [[nodiscard]] bool flag_or(std::string_view name, bool otherwise) const;
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::string text_or(std::string_view name, std::string_view otherwise) const;
  /// "timeout_ms"; nullopt = wait for ever.
  [[nodiscard]] std::optional<Duration> timeout() const;
  /// "address" (default: the unspecified one) and "port" (default 0).
  [[nodiscard]] Endpoint endpoint() const;
  /// As endpoint(), of somebody else: "address" must be there, and so must "port" where there are ports.
  [[nodiscard]] Endpoint peer(bool with_port) const;
  /// Throws EINVAL when a field is none of the space-separated names in `allowed` (nor "id" nor "op").
  void allow_only(std::string_view allowed) const;

 private:
  boost::json::object fields_;
};

/// Octets to send, given as "data" (UTF-8), "hex", "zeros" (count) or "pattern" (count: octet i is (offset + i) mod
/// 251).
class Payload {
 public:
  /// Throws Refusal unless exactly one of the four is there.
  explicit Payload(const Request& request);
  /// Whether any of the four is there.
  [[nodiscard]] static bool is_in(const Request& request);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Octets from `from` on, as many as `scratch` holds; the view is valid until the next call.
  [[nodiscard]] ByteView chunk(std::uint64_t from, MutableByteView scratch) const;

 private:
  enum class Kind : std::uint8_t { Octets, Zeros, Pattern };
  Kind kind_ = Kind::Octets;
  std::string octets_;
  std::uint64_t size_ = 0;
  std::uint64_t offset_ = 0;
};

/// Collects received octets in the form the request asks for with "as": "data", "hex", "digest", or the default
/// "auto" (data when the octets are UTF-8, else hex).
class Collector {
 public:
  explicit Collector(const Request& request);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;
  void add(ByteView octets);
  [[nodiscard]] std::uint64_t length() const { return length_; }
  /// "length" and "data", "hex" or "sha256". Call once, at the end.
  void put_into(boost::json::object& answer);

 private:
  struct Digest;
  std::string form_;
  std::string octets_;
  std::uint64_t length_ = 0;
  std::unique_ptr<Digest> digest_;
};

[[nodiscard]] std::string to_hex(ByteView octets);
/// The octets of hexadecimal digits; spaces and colons between them do not matter. Throws Refusal.
[[nodiscard]] std::string from_hex(std::string_view text);
[[nodiscard]] bool is_utf8(std::string_view text);
[[nodiscard]] boost::json::object to_json(const tcp::ConnectionStatus& status);
/// One event line; `frames` adds the octets of frames as hex.
[[nodiscard]] boost::json::object to_json(Instant now, const observe::Event& event, bool frames);
/// Name of the event's kind: state, sent, received, drop, timer, window, rtt, rto, neighbour.
[[nodiscard]] std::string_view kind_of(const observe::Event& event);
[[nodiscard]] bool is_event_kind(std::string_view name);
/// All of them: "received, sent, ... and impaired".
[[nodiscard]] std::string event_kinds();
/// Whether a value can be written as JSON, which has no number like 1e400.
[[nodiscard]] bool can_be_written(const boost::json::value& value);

}  // namespace wireside::agent
