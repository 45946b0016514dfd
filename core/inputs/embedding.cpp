// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/embedding.h"

#include <tbb/parallel_for.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/base/memory.h"
#include "core/base/rng.h"

namespace attnscope {

namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index kRowsPerBlock = 128;

// Orthogonal with the uniform (Haar) distribution: QR of a Gaussian matrix, signs fixed by R's diagonal.
Matrix randomOrthogonal(const RandomStream& stream, Index head, Index size) {
  Matrix gaussian(size, size);
  for (Index i = 0; i < size; ++i)
    stream.fillNormals({static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(i), 0},
                       {gaussian.row(i).data(), static_cast<std::size_t>(size)});
  const Eigen::HouseholderQR<Eigen::MatrixXd> qr(gaussian.cast<double>());
  Eigen::MatrixXd orthogonal = qr.householderQ();
  for (Index j = 0; j < size; ++j) {
    if (qr.matrixQR()(j, j) < 0.0) orthogonal.col(j) *= -1.0;
  }
  return orthogonal.cast<float>();
}

struct Projections {
  std::vector<Matrix> forKeys;    // W: d x d, one a key head
  std::vector<Matrix> forValues;  // U: d_v x d
};

bool makeProjections(const Embedding& embedding, const JobContext& job, Projections& made) {
  const Shape& shape = embedding.shape;
  const RandomStream keys(embedding.seed, embedding.owner, "W_qk");
  const RandomStream values(embedding.seed, embedding.owner, "W_v");
  made.forKeys.resize(static_cast<std::size_t>(shape.kvHeads));
  made.forValues.resize(static_cast<std::size_t>(shape.kvHeads));
  job.beginPhase(static_cast<double>(2 * shape.kvHeads), 0.0, 0.1);
  return parallelUnits(2 * shape.kvHeads, job, [&](Index unit) {
    const auto head = static_cast<std::size_t>(unit / 2);
    if (unit % 2 == 0) {
      made.forKeys[head] = randomOrthogonal(keys, unit / 2, shape.d);
    } else {
      const Matrix square = randomOrthogonal(values, unit / 2, std::max(shape.d, shape.dV));
      made.forValues[head] = square.topLeftCorner(shape.dV, shape.d);
    }
  });
}

// Copies those of the first `rows` rows that lie at or after `offset` of the sequence into one head of `to`.
void store(const Matrix& from, Index rows, Index begin, Index offset, Index head, Tensor& to) {
  const Index first = std::max<Index>(0, offset - begin);
  if (first >= rows) return;
  const Index width = to.dim(2);
  float* target = to.mutableSlice<float>(head).data() + (begin + first - offset) * width;
  std::copy(from.row(first).data(), from.row(first).data() + (rows - first) * width, target);
}

class Filler {
 public:
  Filler(const Embedding& embedding, const Projections& projections)
      : m_embedding(embedding),
        m_projections(projections),
        m_shape(embedding.shape),
        m_sequence(std::max(m_shape.nQ, m_shape.nK)),
        // Without grouping and of one length, q and k are the same numbers: they share their storage.
        m_shared(m_shape.heads == m_shape.kvHeads && m_shape.nQ == m_shape.nK) {
    q = Tensor(DType::F32, {m_shape.heads, m_shape.nQ, m_shape.d});
    k = m_shared ? q : Tensor(DType::F32, {m_shape.kvHeads, m_shape.nK, m_shape.d});
    v = Tensor(DType::F32, {m_shape.kvHeads, m_shape.nK, m_shape.dV});
  }

  [[nodiscard]] Index blocks() const { return (m_sequence + kRowsPerBlock - 1) / kRowsPerBlock; }

  void fillBlock(Index block, const JobContext& job) {
    const Index begin = block * kRowsPerBlock;
    const Index rows = std::min(kRowsPerBlock, m_sequence - begin);
    // Always whole blocks (the tail is zeros): a product of fewer rows rounds differently, and a longer
    // sequence would not keep the exact tokens of a shorter one.
    Matrix position = Matrix::Zero(kRowsPerBlock, m_shape.d);
    for (Index i = 0; i < rows; ++i) sinusoid(begin + i, rowOf(position, i));
    Matrix x = Matrix::Zero(kRowsPerBlock, m_shape.d);
    const Index share = m_shape.heads / m_shape.kvHeads;
    for (Index head = 0; head < m_shape.heads && !job.isCancelled(); ++head) {
      const Index group = head / share;
      for (Index i = 0; i < rows; ++i) m_embedding.row(head, begin + i, rowOf(x, i));
      x += m_embedding.positionStrength[static_cast<std::size_t>(head)] * position;
      const Matrix projected = x * m_projections.forKeys[static_cast<std::size_t>(group)].transpose();
      store(projected, rows, begin, m_sequence - m_shape.nQ, head, q);
      if (head % share != 0) continue;
      if (!m_shared) store(projected, rows, begin, m_sequence - m_shape.nK, group, k);
      const Matrix values = x * m_projections.forValues[static_cast<std::size_t>(group)].transpose();
      store(values, rows, begin, m_sequence - m_shape.nK, group, v);
    }
  }

  Tensor q;
  Tensor k;
  Tensor v;

 private:
  static std::span<float> rowOf(Matrix& matrix, Index i) {
    return {matrix.row(i).data(), static_cast<std::size_t>(matrix.cols())};
  }

  const Embedding& m_embedding;
  const Projections& m_projections;
  Shape m_shape;
  Index m_sequence;
  bool m_shared;
};

}  // namespace

void sinusoid(Index position, std::span<float> row) {
  const auto width = static_cast<double>(row.size());
  for (std::size_t column = 0; column < row.size(); column += 2) {
    const double angle =
        static_cast<double>(position) * std::pow(10000.0, -static_cast<double>(column) / width);
    row[column] = static_cast<float>(std::sin(angle));
    if (column + 1 < row.size()) row[column + 1] = static_cast<float>(std::cos(angle));
  }
}

void normalise(std::span<float> row) {
  double square = 0.0;
  for (const float value : row) square += static_cast<double>(value) * static_cast<double>(value);
  if (square <= 0.0) return;
  const auto factor = static_cast<float>(1.0 / std::sqrt(square));
  for (float& value : row) value *= factor;
}

bool parallelUnits(Index count, const JobContext& job, const std::function<void(Index)>& body) {
  tbb::task_group_context context;
  tbb::parallel_for(
      Index{0}, count,
      [&](Index i) {
        if (job.isCancelled()) {
          context.cancel_group_execution();
          return;
        }
        body(i);
        if (!job.advance()) context.cancel_group_execution();
      },
      context);
  return !job.isCancelled();
}

Result<AttentionInput> embed(const Embedding& embedding, const JobContext& job) {
  const Shape& shape = embedding.shape;
  const double numbers =
      static_cast<double>(shape.heads * shape.nQ * shape.d) +
      static_cast<double>(shape.kvHeads * shape.nK) * static_cast<double>(shape.d + shape.dV);
  ATTN_TRY(requireMemory(4.0 * numbers, "the input " + embedding.owner));
  Projections projections;
  if (!makeProjections(embedding, job, projections)) return cancelled();
  Filler filler(embedding, projections);
  job.beginPhase(static_cast<double>(filler.blocks()), 0.1, 1.0);
  if (!parallelUnits(filler.blocks(), job, [&](Index block) { filler.fillBlock(block, job); }))
    return cancelled();
  AttentionInput input;
  input.q = std::move(filler.q);
  input.k = std::move(filler.k);
  input.v = std::move(filler.v);
  return input;
}

}  // namespace attnscope
