// The recurrent layer's passes on a CPU: those of lstm_eager.py, with all elementwise work of a time
// step in one loop. The matrix products are torch's.
//
// Names and shapes are those of lstm_autograd.py: T time steps, B sequences, I inputs, H hidden
// units, G = 4H gate units in the order i, f, g, o.
//
// Arrays with G columns are held for only a few steps at a time, so that they stay in the cache:
// storing all T steps would cost more time, in page faults, than the elementwise work itself.

#include <torch/library.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include "fused.h"

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;

// ---- sigmoid and tanh, accurate to about an ulp, in a form that compilers can vectorise -----------

#define INLINE [[gnu::always_inline]] inline  // a loop with a call in it is not vectorised

template <typename Real>
struct Format;

template <>
struct Format<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127, degree = 7;
  static constexpr float largest = 87, log2e = 1.44269504f, ln2_high = 0.693359375f,
                         ln2_low = -2.12194440e-4f, round = 0x1.8p23f;
};

template <>
struct Format<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023, degree = 13;
  static constexpr double largest = 700, log2e = 1.4426950408889634,
                          ln2_high = 6.93147180369123816490e-01,
                          ln2_low = 1.90821492927058770002e-10, round = 0x1.8p52;
};

// 1/k!
template <typename Real>
constexpr auto TAYLOR = [] {
  std::array<Real, Format<Real>::degree + 1> coefficients{1};
  for (int k = 1; k < static_cast<int>(coefficients.size()); ++k)
    coefficients[k] = coefficients[k - 1] / Real(k);
  return coefficients;
}();

// exp(x) = scale + rest, where exp(x) - 1 = (scale - 1) + rest keeps its digits near x = 0.
template <typename Real>
struct Exponential {
  Real scale, rest;
};

// For |x| <= Format::largest; NaN stays NaN.
template <typename Real>
INLINE Exponential<Real> exponential(Real x) {
  using F = Format<Real>;
  // x = n ln 2 + r with |r| <= ln 2 / 2. Adding `round` leaves n in the last bits of the sum.
  const Real shifted = x * F::log2e + F::round;
  const Real n = shifted - F::round;
  const Real r = (x - n * F::ln2_high) - n * F::ln2_low;
  Real series = TAYLOR<Real>[F::degree];
#pragma GCC unroll 16
  for (int k = F::degree - 1; k >= 1; --k) series = series * r + TAYLOR<Real>[k];
  const auto bits = (std::bit_cast<typename F::Bits>(shifted) + F::bias) << F::mantissa;
  const Real scale = std::bit_cast<Real>(bits);
  return {scale, scale * (r * series)};
}

// The smaller of x and a bound; NaN stays NaN.
template <typename Real>
INLINE Real at_most(Real bound, Real x) {
  return bound < x ? bound : x;
}

template <typename Real>
INLINE Real at_least(Real bound, Real x) {
  return bound > x ? bound : x;
}

template <typename Real>
INLINE Real sigmoid(Real x) {
  constexpr Real largest = Format<Real>::largest;
  const auto e = exponential(at_least(-largest, at_most(largest, -x)));
  return 1 / ((1 + e.scale) + e.rest);
}

template <typename Real>
INLINE Real tanh(Real x) {
  const auto e = exponential(at_most(Format<Real>::largest, 2 * std::abs(x)));
  const Real expm1 = (e.scale - 1) + e.rest;
  return std::copysign(expm1 / (expm1 + 2), x);
}

// ---- one time step -------------------------------------------------------------------------------

enum class Peepholes : int64_t { none, paper, lasagne };  // numbered as in lstm_fused.py

// Hidden units of all sequences for which waking a thread pays off.
constexpr int64_t ENOUGH = 4096;

// The four gates of one sequence.
template <typename Real>
struct Gates {
  Real *i, *f, *g, *o;
};

template <typename Real>
Gates<Real> packed(Real* row_G, int64_t H) {
  return {row_G, row_G + H, row_G + 2 * H, row_G + 3 * H};
}

// The gates' sums over the inputs, bias included: a row per sequence, or a table with a row per token.
template <typename Real>
struct Inputs {
  Real* rows;
  const int64_t* tokens_B;  // null if there is no table
  Real* row(int64_t b, int64_t G) const { return rows + (tokens_B ? tokens_B[b] : b) * G; }
};

template <typename Real>
struct Step {
  const Real* product_BG;  // h W_hid
  Inputs<const Real> inputs;
  const Real *c_BH, *peep_3H;
  Gates<Real> gates_BH;  // written unless null
  Real *new_h_BH, *new_c_BH;
};

template <typename Real, Peepholes peepholes, bool keep_gates>
void advance(const Step<Real>& s, int64_t B, int64_t H, int64_t begin, int64_t end) {
  const Real *w_i = s.peep_3H, *w_f = s.peep_3H + H, *w_o = s.peep_3H + 2 * H;
  for (int64_t b = 0; b < B; ++b) {
    const auto z = packed(s.product_BG + b * 4 * H, H), x = packed(s.inputs.row(b, 4 * H), H);
    const Real* c = s.c_BH + b * H;
    Real *new_h = s.new_h_BH + b * H, *new_c = s.new_c_BH + b * H;
    const auto gates = s.gates_BH;
#pragma GCC ivdep
    for (int64_t j = begin; j < end; ++j) {
      Real z_i = z.i[j] + x.i[j], z_f = z.f[j] + x.f[j], z_o = z.o[j] + x.o[j];
      if constexpr (peepholes != Peepholes::none) {
        z_i += w_i[j] * c[j];
        z_f += w_f[j] * c[j];
      }
      const Real i = sigmoid(z_i), f = sigmoid(z_f), g = tanh(z.g[j] + x.g[j]);
      const Real after = f * c[j] + i * g;
      if constexpr (peepholes == Peepholes::lasagne) z_o += w_o[j] * after;
      if constexpr (peepholes == Peepholes::paper) z_o += w_o[j] * c[j];
      const Real o = sigmoid(z_o);
      new_c[j] = after;
      new_h[j] = o * tanh(after);
      if constexpr (keep_gates) {
        gates.i[b * H + j] = i;
        gates.f[b * H + j] = f;
        gates.g[b * H + j] = g;
        gates.o[b * H + j] = o;
      }
    }
  }
}

template <typename Real>
struct StepBack {
  Gates<const Real> gates_BH;
  const Real *c_BH, *new_c_BH, *peep_3H;
  const Real *dh_out_BH, *dc_out_BH;  // from the uses of the step's results; null if there are none
  Real* dh_BH;                        // through the next step; overwritten with the sum of both
  Real* dc_BH;                        // likewise; overwritten with that for the previous step
  Real *dz_BG, *dpeep_3H;
  Inputs<Real> dtable;  // null if there is no table
  Real clip;
};

// A loop of its own: in the long loop of `go_back`, the question whether there is such a row would
// become a masked load, from address 0 if there is none, which takes hundreds of cycles.
template <typename Real>
INLINE void add_to(Real* sum, const Real* row, int64_t begin, int64_t end) {
#pragma GCC ivdep
  for (int64_t j = begin; j < end; ++j) sum[j] += row[j];
}

template <typename Real, Peepholes peepholes>
void go_back(const StepBack<Real>& s, int64_t B, int64_t H, int64_t begin, int64_t end) {
  const Real *w_i = s.peep_3H, *w_f = s.peep_3H + H, *w_o = s.peep_3H + 2 * H;
  Real dw_i[BLOCK] = {}, dw_f[BLOCK] = {}, dw_o[BLOCK] = {};
  const Real clip = s.clip;
  const auto clipped = [clip](Real x) __attribute__((always_inline)) {
    return at_least(-clip, at_most(clip, x));
  };
  for (int64_t b = 0; b < B; ++b) {
    const auto gates = s.gates_BH;
    const auto dz = packed(s.dz_BG + b * 4 * H, H);
    const Real *c = s.c_BH + b * H, *new_c = s.new_c_BH + b * H;
    Real *dh_in = s.dh_BH + b * H, *dc_in = s.dc_BH + b * H;
    if (s.dh_out_BH) add_to(dh_in, s.dh_out_BH + b * H, begin, end);
    if (s.dc_out_BH) add_to(dc_in, s.dc_out_BH + b * H, begin, end);
#pragma GCC ivdep
    for (int64_t j = begin; j < end; ++j) {
      const Real i = gates.i[b * H + j], f = gates.f[b * H + j];
      const Real g = gates.g[b * H + j], o = gates.o[b * H + j];
      const Real dh = dh_in[j];
      Real dc = dc_in[j];

      // h = o tanh(c)
      const Real tanh_c = tanh(new_c[j]);
      const Real dz_o = dh * tanh_c * o * (1 - o);
      dc += dh * o * (1 - tanh_c * tanh_c);
      if constexpr (peepholes == Peepholes::lasagne) {
        dc += dz_o * w_o[j];
        dw_o[j - begin] += dz_o * new_c[j];
      }

      // c = f previous_c + i g
      const Real dz_i = dc * g * i * (1 - i);
      const Real dz_f = dc * c[j] * f * (1 - f);
      const Real dz_g = dc * i * (1 - g * g);
      dc *= f;
      if constexpr (peepholes != Peepholes::none) {
        dc += dz_i * w_i[j] + dz_f * w_f[j];
        dw_i[j - begin] += dz_i * c[j];
        dw_f[j - begin] += dz_f * c[j];
      }
      if constexpr (peepholes == Peepholes::paper) {
        dc += dz_o * w_o[j];
        dw_o[j - begin] += dz_o * c[j];
      }
      dc_in[j] = dc;
      dz.i[j] = clipped(dz_i);
      dz.f[j] = clipped(dz_f);
      dz.g[j] = clipped(dz_g);
      dz.o[j] = clipped(dz_o);
    }
    if (s.dtable.rows) {
      const auto dx = packed(s.dtable.row(b, 4 * H), H);
#pragma GCC ivdep
      for (int64_t j = begin; j < end; ++j) {
        dx.i[j] += dz.i[j];
        dx.f[j] += dz.f[j];
        dx.g[j] += dz.g[j];
        dx.o[j] += dz.o[j];
      }
    }
  }
  if constexpr (peepholes != Peepholes::none)
    for (int64_t j = begin; j < end; ++j) {
      s.dpeep_3H[j] += dw_i[j - begin];
      s.dpeep_3H[H + j] += dw_f[j - begin];
      s.dpeep_3H[2 * H + j] += dw_o[j - begin];
    }
}

// ---- a whole sequence ----------------------------------------------------------------------------

// Calls `work` with the precision of `like` and the kind of peepholes as template arguments.
template <typename Work>
void specialised(const Tensor& like, int64_t peepholes, const Work& work) {
  of_precision(like, [&]<typename Real>() {
    switch (static_cast<Peepholes>(peepholes)) {
      case Peepholes::none: return work.template operator()<Real, Peepholes::none>();
      case Peepholes::paper: return work.template operator()<Real, Peepholes::paper>();
      case Peepholes::lasagne: return work.template operator()<Real, Peepholes::lasagne>();
    }
  });
}

// Number of steps whose arrays with G columns fit into a core's own cache.
int64_t steps_at_a_time(int64_t T, const Tensor& like, int64_t B, int64_t H) {
  constexpr int64_t bytes = 4 << 20;
  return std::clamp<int64_t>(bytes / (B * 4 * H * like.element_size()), 1, std::max<int64_t>(T, 1));
}

template <typename Real>
Real* at_step(const Tensor& tensor, int64_t t) {
  return tensor.data_ptr<Real>() + t * tensor.stride(0);
}

template <typename Real>
Real* at_step(const OptionalTensor& tensor, int64_t t) {
  return tensor ? at_step<Real>(*tensor, t) : nullptr;
}

// Number of elements that were clipped to the bound or to its negative.
template <typename Real>
int64_t num_at(const Tensor& clipped, double bound) {
  const Real *values = clipped.data_ptr<Real>(), clip = static_cast<Real>(bound);
  return std::count_if(values, values + clipped.numel(),
                       [clip](Real x) { return std::abs(x) >= clip; });
}

// A contiguous copy or view of the inputs; tokens are checked to be rows of a table of I rows.
Tensor readable(const Tensor& x, int64_t I) {
  if (x.is_floating_point()) return x.contiguous();
  const Tensor tokens = x.to(at::kLong).contiguous();
  const int64_t* values = tokens.data_ptr<int64_t>();
  TORCH_CHECK_INDEX(std::all_of(values, values + tokens.numel(),
                                [I](int64_t token) { return 0 <= token && token < I; }),
                    "token out of range: there are ", I);
  return tokens;
}

void step_(const Tensor& inputs, const OptionalTensor& tokens_B, const Tensor& h_BH,
           const Tensor& c_BH, const Tensor& new_h_BH, const Tensor& new_c_BH,
           const Tensor& W_hid_HG, const OptionalTensor& W_peep_3H, int64_t peepholes) {
  const int64_t B = h_BH.size(0), H = h_BH.size(1);
  for (const auto& tensor : {inputs, h_BH, c_BH, new_h_BH, new_c_BH})
    TORCH_CHECK(tensor.is_contiguous(), "a step takes contiguous tensors");
  const Tensor rows = tokens_B ? readable(*tokens_B, inputs.size(0)) : Tensor();
  const Tensor product_BG = at::mm(h_BH, W_hid_HG);
  specialised(W_hid_HG, peepholes, [&]<typename Real, Peepholes kind>() {
    const Step<Real> step{
        .product_BG = product_BG.data_ptr<Real>(),
        .inputs = {inputs.data_ptr<Real>(), tokens_B ? rows.data_ptr<int64_t>() : nullptr},
        .c_BH = c_BH.data_ptr<Real>(),
        .peep_3H = at_step<Real>(W_peep_3H, 0),
        .gates_BH = {},
        .new_h_BH = new_h_BH.data_ptr<Real>(),
        .new_c_BH = new_c_BH.data_ptr<Real>(),
    };
    for_blocks(B, H, ENOUGH, [&](int64_t begin, int64_t end) {
      advance<Real, kind, false>(step, B, H, begin, end);
    });
  });
}

std::tuple<Tensor, Tensor, std::vector<Tensor>> forward(
    Tensor x, const Tensor& h0_BH, const Tensor& c0_BH, const Tensor& W_in_IG,
    const Tensor& bias_G, const Tensor& W_hid_HG, const OptionalTensor& W_peep_3H,
    int64_t peepholes, bool keep_gates) {
  const bool is_tokens = !x.is_floating_point();
  x = readable(x, W_in_IG.size(0));
  const int64_t T = x.size(0), B = x.size(1), H = W_hid_HG.size(0);
  const int64_t chunk = steps_at_a_time(T, W_hid_HG, B, H);
  const auto options = W_hid_HG.options();
  const Tensor h = at::empty({T + 1, B, H}, options), c = at::empty({T + 1, B, H}, options);
  h[0].copy_(h0_BH);
  c[0].copy_(c0_BH);
  std::vector<Tensor> gates;
  for (int n = 0; keep_gates && n < 4; ++n) gates.push_back(at::empty({T, B, H}, options));
  Tensor product_BG = at::empty({B, 4 * H}, options);
  Tensor inputs = is_tokens ? W_in_IG + bias_G : at::empty({chunk * B, 4 * H}, options);

  specialised(W_hid_HG, peepholes, [&]<typename Real, Peepholes kind>() {
    for (int64_t t = 0; t < T; ++t) {
      if (!is_tokens && t % chunk == 0) {
        const Tensor features = x.narrow(0, t, std::min(chunk, T - t)).flatten(0, 1);
        Tensor rows = inputs.narrow(0, 0, features.size(0));
        at::addmm_out(rows, bias_G, features, W_in_IG);
      }
      at::mm_out(product_BG, h[t], W_hid_HG);
      Step<Real> step{
          .product_BG = product_BG.data_ptr<Real>(),
          .inputs = {at_step<Real>(inputs, is_tokens ? 0 : t % chunk * B),
                     is_tokens ? at_step<int64_t>(x, t) : nullptr},
          .c_BH = at_step<Real>(c, t),
          .peep_3H = at_step<Real>(W_peep_3H, 0),
          .gates_BH = {},
          .new_h_BH = at_step<Real>(h, t + 1),
          .new_c_BH = at_step<Real>(c, t + 1),
      };
      if (keep_gates)
        step.gates_BH = {at_step<Real>(gates[0], t), at_step<Real>(gates[1], t),
                         at_step<Real>(gates[2], t), at_step<Real>(gates[3], t)};
      for_blocks(B, H, ENOUGH, [&](int64_t begin, int64_t end) {
        if (keep_gates)
          advance<Real, kind, true>(step, B, H, begin, end);
        else
          advance<Real, kind, false>(step, B, H, begin, end);
      });
    }
  });
  return {h, c, gates};
}

std::tuple<OptionalTensor, Tensor, Tensor, Tensor, Tensor, Tensor, OptionalTensor> backward(
    OptionalTensor dh_TBH, OptionalTensor dc_TBH, Tensor x, const Tensor& h, const Tensor& c,
    const std::vector<Tensor>& gates, const Tensor& W_in_IG, const Tensor& W_hid_HG,
    const OptionalTensor& W_peep_3H, int64_t peepholes, std::optional<double> clip,
    const OptionalTensor& num_clipped) {
  const bool is_tokens = !x.is_floating_point();
  x = readable(x, W_in_IG.size(0));
  if (dh_TBH) dh_TBH = dh_TBH->contiguous();
  if (dc_TBH) dc_TBH = dc_TBH->contiguous();
  const int64_t T = x.size(0), B = x.size(1), H = W_hid_HG.size(0);
  const int64_t chunk = steps_at_a_time(T, W_hid_HG, B, H);
  const auto options = W_hid_HG.options();
  Tensor dh_BH = at::zeros({B, H}, options), dc_BH = at::zeros({B, H}, options);
  Tensor dW_in_IG = at::zeros(W_in_IG.sizes(), options), dbias_G = at::zeros({4 * H}, options);
  Tensor dW_hid_HG = at::zeros(W_hid_HG.sizes(), options), dpeep_3H = at::zeros({3, H}, options);
  OptionalTensor dx_TBI, dpeep;
  if (!is_tokens) dx_TBI = at::empty_like(x);
  if (W_peep_3H) dpeep = dpeep_3H;
  const Tensor dz_CBG = at::empty({chunk, B, 4 * H}, options);
  // Contiguous: products with it are up to a quarter faster than with a transposed view.
  const Tensor W_hid_GH = W_hid_HG.t().contiguous();

  specialised(W_hid_HG, peepholes, [&]<typename Real, Peepholes kind>() {
    for (int64_t t = T - 1; t >= 0; --t) {
      const Tensor dz_BG = dz_CBG[t % chunk];
      const StepBack<Real> step{
          .gates_BH = {at_step<Real>(gates[0], t), at_step<Real>(gates[1], t),
                       at_step<Real>(gates[2], t), at_step<Real>(gates[3], t)},
          .c_BH = at_step<Real>(c, t),
          .new_c_BH = at_step<Real>(c, t + 1),
          .peep_3H = at_step<Real>(W_peep_3H, 0),
          .dh_out_BH = at_step<Real>(dh_TBH, t),
          .dc_out_BH = at_step<Real>(dc_TBH, t),
          .dh_BH = dh_BH.data_ptr<Real>(),
          .dc_BH = dc_BH.data_ptr<Real>(),
          .dz_BG = dz_BG.data_ptr<Real>(),
          .dpeep_3H = dpeep_3H.data_ptr<Real>(),
          .dtable = {is_tokens ? dW_in_IG.data_ptr<Real>() : nullptr,
                     is_tokens ? at_step<int64_t>(x, t) : nullptr},
          .clip = static_cast<Real>(clip.value_or(std::numeric_limits<double>::infinity())),
      };
      for_blocks(B, H, ENOUGH, [&](int64_t begin, int64_t end) {
        go_back<Real, kind>(step, B, H, begin, end);
      });
      at::mm_out(dh_BH, dz_BG, W_hid_GH);
      if (t % chunk == 0) {
        const int64_t steps = std::min(chunk, T - t);
        const Tensor dz = dz_CBG.narrow(0, 0, steps).flatten(0, 1);
        if (num_clipped && clip) num_clipped->add_(num_at<Real>(dz, *clip));
        dW_hid_HG.addmm_(h.narrow(0, t, steps).flatten(0, 1).t(), dz);
        if (!is_tokens) {
          dW_in_IG.addmm_(x.narrow(0, t, steps).flatten(0, 1).t(), dz);
          dbias_G.add_(dz.sum(0));
          Tensor dx = dx_TBI->narrow(0, t, steps).flatten(0, 1);
          at::mm_out(dx, dz, W_in_IG.t());
        }
      }
    }
  });
  if (is_tokens) dbias_G = dW_in_IG.sum(0);
  return {dx_TBI, dh_BH, dc_BH, dW_in_IG, dbias_G, dW_hid_HG, dpeep};
}

// Each training step needs the memory that the previous one freed. By default glibc returns large
// blocks to the system, which then has to zero them again, page by page.
void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);  // the largest value that glibc accepts
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
#endif
}

}  // namespace

TORCH_LIBRARY(charrnn, library) {
  keep_freed_memory();
  library.def(
      "forward(Tensor x, Tensor h0, Tensor c0, Tensor W_in, Tensor bias, Tensor W_hid, "
      "Tensor? W_peep, int peepholes, bool keep_gates) -> (Tensor, Tensor, Tensor[])",
      &forward);
  library.def(
      "step_(Tensor inputs, Tensor? tokens, Tensor h, Tensor c, Tensor(a!) new_h, "
      "Tensor(b!) new_c, Tensor W_hid, Tensor? W_peep, int peepholes) -> ()",
      &step_);
  library.def(
      "backward(Tensor? dh, Tensor? dc, Tensor x, Tensor h, Tensor c, Tensor[] gates, "
      "Tensor W_in, Tensor W_hid, Tensor? W_peep, int peepholes, float? clip, "
      "Tensor(a!)? num_clipped) -> (Tensor?, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor?)",
      &backward);
}
