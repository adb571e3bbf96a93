// The tables of an endpoint with several queues: each is asked in its own thread, and the answers become one.
#include <algorithm>
#include <boost/json/array.hpp>
#include <string>
#include <utility>
#include <vector>

#include "control.hpp"

namespace wireside::apps {
namespace {

namespace json = boost::json;

/// What a queue's steering counts, among its other counters.
void add_steering(const SteeringCounters& c, json::object& counters) {
  counters["QueueFramesHandedOver"] = c.handed_over;
  counters["QueueFramesTakenOver"] = c.taken_over;
  counters["QueueArpCopies"] = c.arp_copies;
  counters["QueueFramesLost"] = c.lost;
  counters["QueueFragmentsLost"] = c.fragments_lost;
}

json::array lines_of(const json::object& answer, ControlQuestion question) {
  const json::value* lines = answer.if_contains(to_string(question));
  return lines != nullptr && lines->is_array() ? lines->get_array() : json::array{};
}

std::string word(const json::object& line, std::string_view name) {
  const json::value* v = line.if_contains(name);
  return v != nullptr && v->is_string() ? std::string{v->get_string()} : std::string{};
}

using Tables = std::vector<json::array>;

json::array with_queue_numbers(Tables tables) {
  json::array out;
  for (std::size_t queue = 0; queue < tables.size(); ++queue) {
    for (json::value& line : tables[queue]) {
      line.as_object()["queue"] = queue;
      out.push_back(std::move(line));
    }
  }
  return out;
}

/// Every queue's lines, but one for each "dst": the first that `good` likes, else the first. Lines of other queues only
/// where `may_add` allows it.
template <class Good, class MayAdd>
json::array by_destination(Tables tables, Good good, MayAdd may_add) {
  json::array out = std::move(tables.front());
  for (std::size_t queue = 1; queue < tables.size(); ++queue) {
    for (json::value& line : tables[queue]) {
      const json::object& other = line.as_object();
      if (!may_add(other)) continue;
      const auto same = std::ranges::find_if(out, [&](const json::value& v) {
        return may_add(v.as_object()) && word(v.as_object(), "dst") == word(other, "dst");
      });
      if (same == out.end()) {
        out.push_back(std::move(line));
      } else if (!good(same->as_object()) && good(other)) {
        *same = std::move(line);
      }
    }
  }
  return out;
}

bool is_reachable(const json::object& neighbour) {
  const json::value* states = neighbour.if_contains("state");
  if (states == nullptr || !states->is_array()) return false;
  return std::ranges::find(states->get_array(), json::value{"REACHABLE"}) != states->get_array().end();
}

void add_up(const json::object& some, json::object& sums) {
  for (const auto& [name, value] : some) {
    json::value& sum = sums[name];
    sum = (sum.is_null() ? 0 : sum.to_number<std::uint64_t>()) + value.to_number<std::uint64_t>();
  }
}

/// The sums in the manner of a single stack, and each queue's own counters behind them.
json::array summed_up(Tables tables) {
  json::object counters;
  json::object drops;
  json::array queues;
  std::string dev;
  for (std::size_t queue = 0; queue < tables.size(); ++queue) {
    json::object line = std::move(tables[queue].at(0).as_object());
    dev = word(line, "dev");
    add_up(line["counters"].as_object(), counters);
    add_up(line["drops"].as_object(), drops);
    line["queue"] = queue;
    queues.push_back(std::move(line));
  }
  return {json::object{
      {"dev", dev}, {"counters", std::move(counters)}, {"drops", std::move(drops)}, {"queues", std::move(queues)}}};
}

json::array merged(const ControlSubject& subject, ControlQuestion question, Tables tables) {
  const auto all = [](const json::object&) { return true; };
  const auto none = [](const json::object&) { return false; };
  switch (question) {
    case ControlQuestion::Ss:
      return with_queue_numbers(std::move(tables));
    case ControlQuestion::Stats:
      return summed_up(std::move(tables));
    case ControlQuestion::Neigh:
      return by_destination(std::move(tables), is_reachable, all);
    case ControlQuestion::Route:
      return by_destination(std::move(tables), none, [](const json::object& line) { return line.contains("cache"); });
    case ControlQuestion::Addr:
      for (json::value& line : tables.front()) {
        line.as_object()["queues"] = subject.queues->size();
        line.as_object()["steering"] = subject.queues->steered_by_driver() ? "driver" : "software";
      }
      return std::move(tables.front());
    case ControlQuestion::Hello:
    case ControlQuestion::Dns:
      break;
  }
  return std::move(tables.front());
}

}  // namespace

json::object control_answer_of_queues(const ControlSubject& subject, const ControlRequest& request) {
  QueueGroup& group = *subject.queues;
  auto answers = group.ask_all([&](Runtime& runtime, std::size_t queue) {
    json::object answer = control_answer({subject.command, {&runtime}}, request);
    if (request.question == ControlQuestion::Stats) {
      json::object& line = answer[to_string(request.question)].as_array().at(0).as_object();
      add_steering(group.steering(queue), line["counters"].as_object());
    }
    return answer;
  });
  json::object out = std::move(answers.front());
  // A refusal, or the way to an address: what one stack says holds for all.
  if (!out.contains(to_string(request.question)) || request.destination) return out;
  Tables tables;
  tables.push_back(lines_of(out, request.question));
  for (std::size_t queue = 1; queue < answers.size(); ++queue) {
    tables.push_back(lines_of(answers[queue], request.question));
  }
  out[to_string(request.question)] = merged(subject, request.question, std::move(tables));
  return out;
}

}  // namespace wireside::apps
