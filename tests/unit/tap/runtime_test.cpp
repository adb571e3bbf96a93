// The loop around the stack, against the real kernel: answering, sleeping, and an interface that comes and goes.
#include "runtime.hpp"

#include <gmock/gmock.h>

#include <boost/asio/io_context.hpp>

#include "tap_lab.hpp"

namespace wireside::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* interface_name = "wst0";

struct Lab {
  boost::asio::io_context context;
  std::optional<Runtime> runtime;
  explicit Lab(bool offload = true, const std::optional<PathImpairment>& impairment = std::nullopt) {
    TapOptions options = options_for(interface_name);
    options.offload = offload;
    auto device = TapDevice::open(options);
    EXPECT_TRUE(device) << device.error().to_string();
    EXPECT_EQ(run("ip addr add 10.9.0.1/24 dev wst0"), 0);
    Config config;
    config.ip.addresses = {*Ipv4Prefix::parse("10.9.0.2/24")};
    runtime.emplace(context, std::move(*device), config, make_seed(1), impairment);
  }
  /// Runs a host command beside the loop; returns its exit status.
  int beside(const std::string& command) {
    std::atomic<bool> done = false;
    int status = -1;
    std::thread host{[&] {
      status = run(command);
      done = true;
    }};
    for (int i = 0; i < 2000 && !done; ++i) {
      context.restart();
      context.run_for(10ms);
    }
    host.join();
    return status;
  }
  std::size_t handlers_within(std::chrono::milliseconds time) {
    context.restart();
    return context.run_for(time);
  }
  /// Runs until nothing happened for a quarter of a second.
  bool becomes_idle() {
    for (int i = 0; i < 60; ++i) {
      if (handlers_within(250ms) == 0) return true;
    }
    return false;
  }
};

TAP_TEST(Runtime, AnImpairedPathDelaysBothWaysAndSleepsInBetween) {
  PathImpairment impairment;
  impairment.in.delay = 30ms;
  impairment.out.delay = 20ms;
  Lab lab{true, impairment};
  EXPECT_FALSE(lab.runtime->device().offload());
  lab.runtime->start();
  // A second is enough for ARP and an echo, each of them 50 ms.
  EXPECT_EQ(lab.beside("ping -c 1 -W 1 10.9.0.2"), 0);
  EXPECT_NE(lab.beside("ping -c 1 -W 0.04 10.9.0.2"), 0);
  EXPECT_TRUE(lab.becomes_idle());
}

TAP_TEST(Runtime, WhatAnImpairmentLosesIsCounted) {
  PathImpairment impairment;
  impairment.out.drops = {{impair::FrameKind::Icmp, {{1, impair::Numbers::no_end, 1}}}};
  Lab lab{true, impairment};
  lab.runtime->start();
  EXPECT_NE(lab.beside("ping -c 2 -i 0.2 -W 1 10.9.0.2"), 0);
  const auto& lost = lab.runtime->stack().sink().count.impaired[static_cast<std::size_t>(observe::Direction::Out)];
  EXPECT_EQ(lost[static_cast<std::size_t>(observe::ImpairmentAction::LostByRule)], 2U);
}

TAP_TEST(Runtime, AnswersTheHostsPing) {
  for (const bool offload : {true, false}) {
    Lab lab{offload};
    lab.runtime->start();
    EXPECT_EQ(lab.beside("ping -c 20 -i 0.002 -W 2 10.9.0.2"), 0);
    EXPECT_EQ(lab.beside("ping -c 2 -i 0.002 -s 1400 -W 2 10.9.0.2"), 0);
    EXPECT_GE(lab.runtime->device().counters().frames_out, 22U);
  }
}

TAP_TEST(Runtime, DoesNotWakeUpWhenIdle) {
  Lab lab;
  lab.runtime->start();
  EXPECT_EQ(lab.beside("ping -c 1 -W 2 10.9.0.2"), 0);
  EXPECT_TRUE(lab.becomes_idle());
  EXPECT_EQ(lab.handlers_within(1s), 0U);
}

TAP_TEST(Runtime, FailsOnceAndEndsWhenTheInterfaceIsDeleted) {
  Lab lab;
  std::vector<std::string> messages;
  lab.runtime->on_fatal([&](const std::string& message) { messages.push_back(message); });
  lab.runtime->start();
  EXPECT_EQ(lab.beside("ip link del wst0"), 0);
  EXPECT_LT(lab.handlers_within(500ms), 20U);
  lab.runtime->stack().announce(lab.runtime->now());
  lab.runtime->schedule_output();
  lab.handlers_within(50ms);
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_THAT(messages[0], HasSubstr("wst0 was deleted"));
  lab.context.restart();
  lab.context.run();  // returns: nothing is waited for any more
}

TAP_TEST(Runtime, TellsLateAskersThatTheInterfaceIsGone) {
  Lab lab;
  lab.runtime->start();
  EXPECT_EQ(lab.beside("ip link del wst0"), 0);
  lab.handlers_within(50ms);
  int told = 0;
  lab.runtime->on_fatal([&](const std::string&) { ++told; });
  lab.handlers_within(50ms);
  EXPECT_EQ(told, 1);
}

TAP_TEST(Runtime, RecoversWhenTheLinkGoesDownAndUp) {
  Lab lab;
  std::vector<bool> changes;
  std::string message;
  lab.runtime->on_link_change([&](bool up, const std::string& text) {
    changes.push_back(up);
    if (!up) message = text;
  });
  lab.runtime->start();
  EXPECT_EQ(lab.beside("ping -c 1 -W 2 10.9.0.2"), 0);
  ASSERT_EQ(run("ip link set wst0 down"), 0);
  lab.runtime->stack().announce(lab.runtime->now());
  lab.runtime->schedule_output();
  lab.handlers_within(20ms);
  ASSERT_EQ(changes, std::vector<bool>{false});
  EXPECT_THAT(message, HasSubstr("sudo ip link set wst0 up"));
  EXPECT_LT(lab.handlers_within(500ms), 20U);  // no busy loop
  ASSERT_EQ(run("ip link set wst0 up"), 0);
  lab.handlers_within(50ms);
  EXPECT_EQ(changes, (std::vector<bool>{false, true}));
  EXPECT_EQ(lab.beside("ping -c 3 -i 0.01 -W 2 10.9.0.2"), 0);
}

TAP_TEST(Runtime, StartsOnALinkThatIsDown) {
  Lab lab;
  ASSERT_EQ(run("ip link set wst0 down"), 0);
  lab.runtime->start();
  EXPECT_LT(lab.handlers_within(300ms), 20U);
  ASSERT_EQ(run("ip link set wst0 up"), 0);
  EXPECT_EQ(lab.beside("ping -c 1 -W 2 10.9.0.2"), 0);
}

TAP_TEST(Runtime, StopsAndStartsAgain) {
  Lab lab;
  lab.runtime->start();
  lab.handlers_within(20ms);
  lab.runtime->stop();
  lab.context.restart();
  lab.context.run();  // returns
  EXPECT_NE(lab.beside("ping -c 1 -W 1 10.9.0.2"), 0);
  lab.runtime->start();
  EXPECT_EQ(lab.beside("ping -c 3 -i 0.01 -W 2 10.9.0.2"), 0);
}

TAP_TEST(Runtime, MayDieWithHandlersPending) {
  Lab lab;
  lab.runtime->start();
  lab.runtime->schedule_output();
  lab.runtime.reset();
  lab.context.restart();
  lab.context.run();
}

struct Recorder : SocketListener {
  std::vector<SocketEvent> events;
  void on_socket_event(const SocketEvent& event) override { events.push_back(event); }
};

TAP_TEST(Runtime, DeliversSocketEventsToTheirListener) {
  Lab lab;
  lab.runtime->start();
  SocketTable& sockets = lab.runtime->sockets();
  const auto listening = sockets.open(SocketKind::Stream);
  ASSERT_TRUE(listening);
  ASSERT_TRUE(sockets.bind(*listening, *Endpoint::parse("10.9.0.2:80")));
  ASSERT_TRUE(sockets.listen(*listening, 8));
  Recorder recorder;
  lab.runtime->watch(*listening, &recorder);
  EXPECT_EQ(lab.beside("timeout 2 bash -c 'exec 3<>/dev/tcp/10.9.0.2/80'"), 0);
  ASSERT_FALSE(recorder.events.empty());
  EXPECT_TRUE(recorder.events[0].readable);
  EXPECT_EQ(recorder.events[0].socket, *listening);
  const std::size_t before = recorder.events.size();
  lab.runtime->unwatch(*listening);
  EXPECT_EQ(lab.beside("timeout 2 bash -c 'exec 3<>/dev/tcp/10.9.0.2/80'"), 0);
  EXPECT_EQ(recorder.events.size(), before);
}

}  // namespace
}  // namespace wireside::test
