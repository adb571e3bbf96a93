#include "queue_group.hpp"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <thread>
#include <tuple>
#include <utility>

#include "driver_steering.hpp"
#include "queue_config.hpp"

namespace wireside {
namespace {

namespace asio = boost::asio;

// So many handed-over frames are given to the stack before what they bring about is sent.
constexpr std::size_t frames_per_handover = 64;

/// Of one of the group's random number streams; those of the stacks are their queues' numbers.
Seed derived(const Seed& seed, std::uint64_t stream) {
  Seed out = seed;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= make_seed(stream)[i];
  return out;
}

FlowOwner owner_of(std::size_t queues, const Seed& seed) {
  constexpr std::uint64_t key_stream = 0x6b6579;
  return {queues, Random{derived(seed, key_stream)}.next_u32()};
}

}  // namespace

struct QueueGroup::Queue {
  asio::io_context* context = nullptr;
  Runtime* runtime = nullptr;
  Mailbox box;
  std::unique_ptr<QueueSteering> steering;
  std::vector<Packet> mail;  // kept: filled and emptied in each turn
  // Of the further queues.
  std::unique_ptr<asio::io_context> own_context;
  std::unique_ptr<Runtime> own_runtime;
  std::vector<std::shared_ptr<void>> kept;
  std::thread thread;
};

Config QueueGroup::config_of_first(Config config, std::size_t queues, const Seed& seed) {
  return queues == 1 ? std::move(config) : config_of_queue(std::move(config), owner_of(queues, seed), 0);
}

QueueGroup::QueueGroup(Runtime& first, std::vector<TapDevice> others, const Seed& seed)
    : owner_{owner_of(others.size() + 1, seed)} {
  std::vector<Mailbox*> boxes;
  for (std::size_t i = 0; i <= others.size(); ++i) {
    queues_.push_back(std::make_unique<Queue>());
    boxes.push_back(&queues_.back()->box);
  }
  queues_[0]->context = &first.context();
  queues_[0]->runtime = &first;
  settings_generation_ = first.stack().settings_generation();
  const NetworkSettings settings = first.stack().network_settings();
  for (std::size_t i = 1; i < size(); ++i) {
    Queue& q = *queues_[i];
    q.own_context = std::make_unique<asio::io_context>(1);
    q.context = q.own_context.get();
    q.own_runtime = std::make_unique<Runtime>(*q.context, std::move(others[i - 1]),
                                              config_of_queue(first.stack().config(), owner_, i), derived(seed, i));
    q.runtime = q.own_runtime.get();
    q.runtime->stack().use_network_settings(first.now(), settings);
  }
  const Duration patience = first.stack().config().ip.reassembly.timeout;
  for (std::size_t i = 0; i < size() && size() > 1; ++i) {
    Queue& q = *queues_[i];
    q.steering = std::make_unique<QueueSteering>(
        i, owner_, boxes, [this](std::size_t to) { wake(to); }, patience);
    q.runtime->set_steering(q.steering.get());
    q.runtime->share_processors(size());
  }
  if (size() == 1) return;
  steered_by_driver_ = steer_in_driver(first.device(), owner_);
  // A persistent interface may still have the program of a process that was killed, with another key.
  if (!steered_by_driver_) stop_steering_in_driver(first.device());
  first.on_turn([this](Instant) { publish_settings(); });
}

void QueueGroup::stop() {
  for (auto& q : queues_) {
    if (!q->thread.joinable()) continue;
    asio::post(*q->context, [queue = q.get()] {
      queue->runtime->stop();
      queue->context->stop();
    });
  }
  for (auto& q : queues_) {
    if (q->thread.joinable()) q->thread.join();
  }
}

QueueGroup::~QueueGroup() {
  stop();
  Runtime& first = *queues_[0]->runtime;
  first.set_steering(nullptr);
  if (size() == 1) return;
  first.on_turn(nullptr);
  if (steered_by_driver_) stop_steering_in_driver(first.device());
  for (auto& q : queues_) q->runtime->set_steering(nullptr);
  for (auto& q : queues_) q->mail.clear();
  for (auto& q : queues_) q->steering.reset();  // may hold buffers of the runtimes' pools
}

void QueueGroup::start() {
  if (std::exchange(started_, true)) return;
  for (std::size_t i = 1; i < size(); ++i) {
    Queue& q = *queues_[i];
    asio::post(*q.context, [runtime = q.runtime] { runtime->start(); });
    q.thread = std::thread{[this, context = q.context] { run_until_stopped(*context); }};
  }
}

/// What a handler throws leaves the loop that the application runs, whichever queue's handler it was.
void QueueGroup::run_until_stopped(asio::io_context& context) {
  const auto work = asio::make_work_guard(context);
  while (!context.stopped()) {
    try {
      context.run();
    } catch (...) {
      post(0, [thrown = std::current_exception()] { std::rethrow_exception(thrown); });
    }
  }
}

Runtime& QueueGroup::runtime(std::size_t queue) { return *queues_[queue]->runtime; }
void QueueGroup::post(std::size_t queue, std::function<void()> work) {
  asio::post(*queues_[queue]->context, std::move(work));
}
void QueueGroup::keep(std::size_t queue, std::shared_ptr<void> worker) {
  queues_[queue]->kept.push_back(std::move(worker));
}
SteeringCounters QueueGroup::steering(std::size_t queue) const {
  const Queue& q = *queues_[queue];
  return q.steering ? q.steering->counters() : SteeringCounters{};
}

void QueueGroup::wake(std::size_t queue) {
  asio::post(*queues_[queue]->context, [this, queue, alive = std::weak_ptr<char>{alive_}] {
    // Only queue 0's loop may outlive us, and its thread is the one that destroys us.
    if (!alive.expired()) take_mail(queue);
  });
}

void QueueGroup::take_mail(std::size_t queue) {
  Queue& q = *queues_[queue];
  const std::weak_ptr<char> alive{alive_};
  std::vector<Packet> all;
  q.steering->take_mail(q.runtime->now(), q.runtime->stack().buffers(), all);
  for (std::size_t from = 0; from < all.size(); from += frames_per_handover) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(from);
    const auto count = static_cast<std::ptrdiff_t>(std::min(frames_per_handover, all.size() - from));
    q.mail.assign(std::make_move_iterator(begin), std::make_move_iterator(begin + count));
    q.runtime->receive(q.mail);
    if (alive.expired()) return;  // a handler of queue 0's application has ended us
  }
  q.mail.clear();
}

/// A lease, a conflict, a router that was given up by hand: what changed at queue 0 is told to the others.
void QueueGroup::publish_settings() {
  const std::uint32_t generation = queues_[0]->runtime->stack().settings_generation();
  if (std::exchange(settings_generation_, generation) == generation) return;
  const auto settings = std::make_shared<const NetworkSettings>(queues_[0]->runtime->stack().network_settings());
  for (std::size_t i = 1; i < size(); ++i) {
    post(i, [runtime = queues_[i]->runtime, settings] {
      runtime->stack().use_network_settings(runtime->now(), *settings);
      runtime->schedule_output();
    });
  }
}

}  // namespace wireside
