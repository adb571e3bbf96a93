// What goes over a control socket: one JSON line asks, one answers. No sockets here.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"

namespace wireside::apps {

enum class ControlQuestion : std::uint8_t { Hello, Ss, Neigh, Route, Addr, Stats, Dns };
inline constexpr std::uint8_t control_questions = 7;

/// "ss": the "op" of a request, the subcommand that asks it, and the field that holds the answer.
[[nodiscard]] std::string_view to_string(ControlQuestion question);
[[nodiscard]] std::optional<ControlQuestion> control_question(std::string_view name);

/// What one line asks.
struct ControlRequest {
  ControlRequest(ControlQuestion what) : question{what} {}
  ControlRequest(ControlQuestion what, Ipv4Address to) : question{what}, destination{to} {}

  ControlQuestion question;
  std::optional<Ipv4Address> destination;  ///< Route: only the way to this address ("get")
  friend bool operator==(const ControlRequest&, const ControlRequest&) = default;
};

/// {"op":"ss"} or {"op":"route","get":"10.0.0.1"}, without the line's end.
[[nodiscard]] std::string control_request(const ControlRequest& request);
/// The request of a line. The error is a sentence; fields that are not known are ignored.
[[nodiscard]] std::expected<ControlRequest, std::string> parse_control_request(std::string_view line);

/// {"ok":false,"message": SENTENCE}
[[nodiscard]] boost::json::object control_refusal(std::string_view message);
/// The fields of an answer with "ok": true. The error is the answer's own sentence, or one that says what it is not.
[[nodiscard]] std::expected<boost::json::object, std::string> parse_control_answer(std::string_view line);
/// The table of an answer: its field of the question's name, an array of objects. The error is a sentence.
[[nodiscard]] std::expected<boost::json::array, std::string> control_table(const boost::json::object& answer,
                                                                           ControlQuestion question);

}  // namespace wireside::apps
