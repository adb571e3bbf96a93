#include "control_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace wireside::apps {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, control_questions> names{"hello", "ss",    "neigh", "route",
                                                                "addr",  "stats", "dns"};

}  // namespace

std::string_view to_string(ControlQuestion question) { return names.at(static_cast<std::size_t>(question)); }

std::optional<ControlQuestion> control_question(std::string_view name) {
  const auto it = std::ranges::find(names, name);
  if (it == names.end()) return std::nullopt;
  return static_cast<ControlQuestion>(it - names.begin());
}

std::string control_request(const ControlRequest& request) {
  json::object line{{"op", to_string(request.question)}};
  if (request.destination) line["get"] = request.destination->to_string();
  return json::serialize(line);
}

std::expected<ControlRequest, std::string> parse_control_request(std::string_view line) {
  boost::system::error_code ec;
  const json::value request = json::parse(line, ec);
  if (ec || !request.is_object()) return std::unexpected{"the request is no JSON object"};
  const json::value* op = request.get_object().if_contains("op");
  if (op == nullptr || !op->is_string()) return std::unexpected{"the request has no \"op\""};
  if (const auto question = control_question(op->get_string())) {
    const json::value* get = request.get_object().if_contains("get");
    if (*question != ControlQuestion::Route || get == nullptr) return *question;
    const auto to = get->is_string() ? Ipv4Address::parse(get->get_string()) : std::nullopt;
    if (!to) return std::unexpected{"\"get\" is no IPv4 address"};
    return ControlRequest{*question, *to};
  }
  return std::unexpected{"unknown \"op\": hello, ss, neigh, route, addr, stats and dns are known"};
}

json::object control_refusal(std::string_view message) { return {{"ok", false}, {"message", message}}; }

std::expected<json::object, std::string> parse_control_answer(std::string_view line) {
  boost::system::error_code ec;
  json::value answer = json::parse(line, ec);
  if (ec || !answer.is_object()) return std::unexpected{"the answer is no JSON object"};
  json::object& fields = answer.get_object();
  const json::value* ok = fields.if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) return std::move(fields);
  const json::value* message = fields.if_contains("message");
  const bool told = message != nullptr && message->is_string();
  return std::unexpected{told ? std::string{message->get_string()} : "it refuses"};
}

std::expected<json::array, std::string> control_table(const json::object& answer, ControlQuestion question) {
  const json::value* lines = answer.if_contains(to_string(question));
  const bool table = lines != nullptr && lines->is_array() &&
                     std::ranges::all_of(lines->get_array(), [](const json::value& line) { return line.is_object(); });
  if (!table) return std::unexpected{fmt::format("the answer has no table \"{}\"", to_string(question))};
  return lines->get_array();
}

}  // namespace wireside::apps
