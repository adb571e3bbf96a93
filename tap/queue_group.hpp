// Several queues of one TAP: a stack and a thread for each, which share nothing and tell each other what they must.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <type_traits>
#include <vector>

#include "base/random.hpp"
#include "queue_steering.hpp"
#include "runtime.hpp"
#include "tap_device.hpp"

namespace wireside {

/// All stacks have the same addresses, routes and MTU: those of queue 0's, which alone answers ARP, detects conflicts
/// and speaks DHCP. Each has its own neighbours, connections and ports (docs/architecture.md, "More than one core").
class QueueGroup {
 public:
  /// For the Runtime of queue 0, out of what a single one would be given. `seed` is the group's.
  [[nodiscard]] static Config config_of_first(Config config, std::size_t queues, const Seed& seed);

  /// `first` is queue 0's, not yet started, with a config of config_of_first(); it outlives the group, which is used
  /// and destroyed in its thread. Others post to its io_context, so not one with a hint that leaves out the locks.
  /// `others`: one device for each further queue.
  QueueGroup(Runtime& first, std::vector<TapDevice> others, const Seed& seed);
  /// Ends the threads. What their sockets wait for ends with operation_aborted.
  ~QueueGroup();
  QueueGroup(const QueueGroup&) = delete;
  QueueGroup& operator=(const QueueGroup&) = delete;

  /// How many, queue 0 included.
  [[nodiscard]] std::size_t size() const { return queues_.size(); }
  /// Starts the further queues' threads and runtimes. Settings for these before that. What a handler throws there is
  /// thrown by queue 0's loop.
  void start();
  /// Ends the further queues' threads: what is posted to them and not yet done stays undone. Nobody is asked any more.
  /// As the destructor does, for those whose threads' work looks at the one who destroys the group.
  void stop();
  /// A runtime and its stack may be touched before start(), and after that in its own thread only.
  [[nodiscard]] Runtime& runtime(std::size_t queue);
  /// Runs `work` in the queue's thread, soon. From any thread.
  void post(std::size_t queue, std::function<void()> work);
  /// Runs `question` in the thread of every queue, and waits for the answers: by queue. From queue 0's thread only, and
  /// the question must not wait for queue 0. What it throws is thrown here, once nobody is asked any more.
  template <class F>
  [[nodiscard]] auto ask_all(F question) -> std::vector<std::invoke_result_t<F, Runtime&, std::size_t>>;
  /// Keeps something that works in the queue's thread until that has ended; it goes before the queue's runtime. In the
  /// queue's thread.
  void keep(std::size_t queue, std::shared_ptr<void> worker);
  /// In the queue's thread.
  [[nodiscard]] SteeringCounters steering(std::size_t queue) const;
  /// Frames come to the right queue already in the driver, by an eBPF program; else the driver learns from what we
  /// send.
  [[nodiscard]] bool steered_by_driver() const { return steered_by_driver_; }

 private:
  struct Queue;
  void run_until_stopped(boost::asio::io_context& context);
  void wake(std::size_t queue);
  void take_mail(std::size_t queue);
  void publish_settings();

  FlowOwner owner_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::uint32_t settings_generation_ = 0;
  bool steered_by_driver_ = false;
  bool started_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // for what waits in queue 0's loop
};

template <class F>
auto QueueGroup::ask_all(F question) -> std::vector<std::invoke_result_t<F, Runtime&, std::size_t>> {
  using Answer = std::invoke_result_t<F, Runtime&, std::size_t>;
  std::packaged_task<Answer()> first{[this, &question]() -> Answer { return question(runtime(0), 0); }};
  std::vector<std::future<Answer>> pending;
  pending.push_back(first.get_future());
  for (std::size_t queue = 1; queue < size(); ++queue) {
    auto task = std::make_shared<std::packaged_task<Answer()>>(
        [this, question, queue]() -> Answer { return question(runtime(queue), queue); });
    pending.push_back(task->get_future());
    if (started_) {
      post(queue, [task] { (*task)(); });
    } else {
      (*task)();
    }
  }
  first();
  for (const auto& answer : pending) answer.wait();  // all: the question may refer to what is the caller's
  std::vector<Answer> answers;
  for (auto& answer : pending) answers.push_back(answer.get());
  return answers;
}

}  // namespace wireside
