// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "ui/plots/tile_numbers.h"
#include "ui/plots/view_numbers.h"

namespace attnscope {

// What the window and its worker share. The window changes its mind at any time; the worker asks after every
// row of tiles.
struct NumberMaker::Shared {
  std::mutex mutex;
  std::optional<NumberRequest> wanted;                  // not begun yet
  quint64 ticket = 0;                                   // of the newest request
  bool busy = false;                                    // a worker is at it
  JobContext quick;                                     // first looks: any newer request ends them
  JobContext tiles;                                     // the row of tiles that is being made
  std::function<bool(const NumberRequest&)> alsoNeeds;  // whether a request needs that row, too
  // To the GUI thread; null numbers: tiles have arrived. Null once the window is gone.
  std::function<void(quint64 ticket, const ViewNumbersPtr& numbers)> answer;

  // True if a worker is to be started.
  [[nodiscard]] bool replace(const NumberRequest& request);
  void stop();
  [[nodiscard]] bool isCurrent(quint64 number);
  void post(quint64 number, const ViewNumbersPtr& numbers);
};

// The worker: makes what is wanted until nothing is. Any thread but the window's.
void makeNumbers(NumberMaker::Shared& shared);

}  // namespace attnscope
