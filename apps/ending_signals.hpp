// The signals that ask a process to end.
#pragma once

#include <boost/asio/signal_set.hpp>
#include <csignal>

namespace wireside::apps {

/// SIGINT, SIGTERM and SIGHUP; the last not where it is ignored, as nohup has it.
inline void add_ending_signals(boost::asio::signal_set& signals) {
  signals.add(SIGINT);
  signals.add(SIGTERM);
  struct sigaction hangup {};
  if (::sigaction(SIGHUP, nullptr, &hangup) == 0 && hangup.sa_handler != SIG_IGN) signals.add(SIGHUP);
}

}  // namespace wireside::apps
