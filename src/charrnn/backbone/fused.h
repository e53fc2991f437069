// What lstm_fused.cpp and dense_fused.cpp share: precisions, and the division of work among threads.

#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdint>

// Hidden units that a thread works on at a time. Threads divide the units among them, not the rows
// of a batch, so that sums over rows always have the same order and results do not depend on the
// number of threads. Shorter blocks defeat prefetching: with 64, the elementwise work of an LSTM
// took twice as long.
constexpr int64_t BLOCK = 256;

// Calls `work` with the first unit of each block and the end of it. Waking a thread pays off from
// `enough` numbers on.
template <typename Work>
void for_blocks(int64_t rows, int64_t units, int64_t enough, const Work& work) {
  const int64_t blocks = (units + BLOCK - 1) / BLOCK;
  const int64_t grain = std::max<int64_t>(1, enough / std::max<int64_t>(1, rows * BLOCK));
  at::parallel_for(0, blocks, grain, [&](int64_t first, int64_t last) {
    for (int64_t n = first; n < last; ++n) work(n * BLOCK, std::min(units, (n + 1) * BLOCK));
  });
}

// Calls `work` with the precision of `like` as its template argument.
template <typename Work>
void of_precision(const at::Tensor& like, const Work& work) {
  if (like.scalar_type() == at::kDouble) return work.template operator()<double>();
  TORCH_CHECK(like.scalar_type() == at::kFloat, "unknown precision: ", like.scalar_type());
  work.template operator()<float>();
}
