// The dense layers' passes on a CPU: those of network.py, with bias and leaky ReLU in one loop.
//
// Names: N rows, H hidden units of the recurrent layer, D units of the hidden dense layer, V tokens.
// So many rows are computed at a time that what lies between the two layers stays in the cache. The
// matrix products are torch's.

#include <torch/library.h>

#include <tuple>

#include "fused.h"

namespace {

using at::Tensor;

// Numbers for which waking a thread pays off: an element takes only a few operations.
constexpr int64_t ENOUGH = 32768;

// Adds the bias, and applies the leaky ReLU.
template <typename Real>
void activate(Real* sums_ND, const Real* bias_D, Real slope, int64_t rows, int64_t D, int64_t begin,
              int64_t end) {
  for (int64_t n = 0; n < rows; ++n) {
    Real* row = sums_ND + n * D;
#pragma GCC ivdep
    for (int64_t j = begin; j < end; ++j) {
      const Real sum = row[j] + bias_D[j];
      row[j] = sum > 0 ? sum : sum * slope;
    }
  }
}

// From gradients of what is activated to those of the sums, which are also added up over the rows.
template <typename Real>
void differentiate(Real* d_ND, const Real* active_ND, Real* dbias_D, Real slope, int64_t rows,
                   int64_t D, int64_t begin, int64_t end) {
  Real sums[BLOCK] = {};
  for (int64_t n = 0; n < rows; ++n) {
    Real* row = d_ND + n * D;
    const Real* active = active_ND + n * D;
#pragma GCC ivdep
    for (int64_t j = begin; j < end; ++j) {
      const Real d = row[j] * (active[j] > 0 ? Real(1) : slope);
      row[j] = d;
      sums[j - begin] += d;
    }
  }
  for (int64_t j = begin; j < end; ++j) dbias_D[j] += sums[j - begin];
}

// Logits (N, V), and the activations between the layers: all (N, D), or those of the last rows.
std::tuple<Tensor, Tensor> forward(const Tensor& hidden_NH, const Tensor& W_DH,
                                   const Tensor& bias_D, const Tensor& W_out_VD,
                                   const Tensor& bias_out_V, double slope, int64_t at_a_time,
                                   bool keep) {
  const int64_t N = hidden_NH.size(0), D = W_DH.size(0);
  const Tensor active_ND = at::empty({keep ? N : std::min(N, at_a_time), D}, W_DH.options());
  Tensor logits_NV = at::empty({N, W_out_VD.size(0)}, W_DH.options());
  const Tensor W_HD = W_DH.t(), W_out_DV = W_out_VD.t(), bias = bias_D.contiguous();
  of_precision(W_DH, [&]<typename Real>() {
    for (int64_t n = 0; n < N; n += at_a_time) {
      const int64_t rows = std::min(at_a_time, N - n);
      Tensor active = active_ND.narrow(0, keep ? n : 0, rows), logits = logits_NV.narrow(0, n, rows);
      at::mm_out(active, hidden_NH.narrow(0, n, rows), W_HD);
      for_blocks(rows, D, ENOUGH, [&](int64_t begin, int64_t end) {
        activate(active.data_ptr<Real>(), bias.data_ptr<Real>(), static_cast<Real>(slope), rows,
                 D, begin, end);
      });
      at::addmm_out(logits, bias_out_V, active, W_out_DV);
    }
  });
  return {logits_NV, active_ND};
}

// The gradients of the hidden states, and of the four parameters.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> backward(
    const Tensor& dlogits_NV, const Tensor& hidden_NH, const Tensor& active_ND, const Tensor& W_DH,
    const Tensor& W_out_VD, double slope, int64_t at_a_time) {
  const int64_t N = hidden_NH.size(0), D = W_DH.size(0);
  const auto options = W_DH.options();
  const Tensor dhidden_NH = at::empty_like(hidden_NH);
  const Tensor between_ND = at::empty({std::min(N, at_a_time), D}, options);
  Tensor dW_DH = at::zeros_like(W_DH), dW_out_VD = at::zeros_like(W_out_VD);
  const Tensor dbias_D = at::zeros({D}, options);
  of_precision(W_DH, [&]<typename Real>() {
    for (int64_t n = 0; n < N; n += at_a_time) {
      const int64_t rows = std::min(at_a_time, N - n);
      const Tensor dlogits = dlogits_NV.narrow(0, n, rows), hidden = hidden_NH.narrow(0, n, rows);
      const Tensor active = active_ND.narrow(0, n, rows);
      Tensor d = between_ND.narrow(0, 0, rows), dhidden = dhidden_NH.narrow(0, n, rows);
      dW_out_VD.addmm_(dlogits.t(), active);
      at::mm_out(d, dlogits, W_out_VD);
      for_blocks(rows, D, ENOUGH, [&](int64_t begin, int64_t end) {
        differentiate(d.data_ptr<Real>(), active.data_ptr<Real>(), dbias_D.data_ptr<Real>(),
                      static_cast<Real>(slope), rows, D, begin, end);
      });
      dW_DH.addmm_(d.t(), hidden);
      at::mm_out(dhidden, d, W_DH);
    }
  });
  return {dhidden_NH, dW_DH, dbias_D, dW_out_VD, dlogits_NV.sum(0)};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(charrnn, library) {
  library.def(
      "dense_forward(Tensor hidden, Tensor W, Tensor bias, Tensor W_out, Tensor bias_out, "
      "float slope, int at_a_time, bool keep) -> (Tensor, Tensor)",
      &forward);
  library.def(
      "dense_backward(Tensor dlogits, Tensor hidden, Tensor active, Tensor W, Tensor W_out, "
      "float slope, int at_a_time) -> (Tensor, Tensor, Tensor, Tensor, Tensor)",
      &backward);
}
