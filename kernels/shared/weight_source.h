// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/job_context.h"
#include "core/base/tensor.h"
#include "core/plan/plan.h"

namespace attnscope {

// How many weights become one number: the largest, or their mean.
enum class WeightReduce { Max, Mean };

// Cells [begin, end) along one axis that one number stands for; never empty.
struct CellRange {
  Index begin = 0;
  Index end = 0;
};

// Numbers (rows, cols) that are wanted of the weights of one head.
struct WeightPicture {
  Index head = 0;
  // Cell c of the rows is query queries[c], or row0 + c where there are none.
  std::vector<Index> queries;
  Index row0 = 0;
  Index col0 = 0;               // cell c of the columns is token col0 + c
  std::vector<CellRange> rows;  // begin and end do not fall from one to the next
  std::vector<CellRange> cols;
  WeightReduce reduce = WeightReduce::Max;
};

// Weights where a pass left what they are made of, reduced there. Any thread.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  // float32 (rows, cols) of the picture, exact zero where all its cells are outside the support. An empty
  // tensor: busy with a pass, whoever asks computes it himself. Error (Compute): it will not answer again.
  [[nodiscard]] virtual Result<Tensor> numbers(const WeightPicture& picture, const JobContext& job) const = 0;
  [[nodiscard]] virtual std::string name() const = 0;  // of the device
};

// An attend step whose weights, times its share in a row, are a part of the output's.
struct OutputStep {
  std::size_t index = 0;   // in Plan::steps
  bool overTokens = true;  // false: over constants that are made of no token; it only takes its share
};

// The step that writes the output, or the parts that are merged into it, all of them over the values of
// tokens or over constants. Error (Compute): the output is composed otherwise, and of what.
[[nodiscard]] Result<std::vector<OutputStep>> outputSteps(const Plan& plan);

}  // namespace attnscope
