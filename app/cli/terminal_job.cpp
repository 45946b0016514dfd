// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/terminal_job.h"

#include <unistd.h>
#include <csignal>

#include <atomic>
#include <chrono>
#include <cstdio>

namespace attnscope {

namespace {

// Set once before the handler is installed; cancel() only stores an atomic, which a signal handler may do.
const JobContext* interruptedJob = nullptr;
std::atomic<bool> progressShown{false};

void onInterrupt(int) {
  interruptedJob->cancel();
}

JobContext::ProgressSink terminalSink() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [start = std::chrono::steady_clock::now()](double fraction) {
    if (std::chrono::steady_clock::now() - start < std::chrono::seconds(1)) return;
    progressShown = true;
    std::fprintf(stderr, "\r%3.0f %%", 100.0 * fraction);
  };
}

}  // namespace

JobContext makeTerminalJob() {
  static const JobContext job(terminalSink());
  interruptedJob = &job;
  struct sigaction action {};
  action.sa_handler = onInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  return job;
}

void clearProgress() {
  if (progressShown.exchange(false)) std::fprintf(stderr, "\r\033[K");
}

}  // namespace attnscope
