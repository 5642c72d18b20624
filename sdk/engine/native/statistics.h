// Statistics: the raw statistic vector; one bit of `only` says that one is needed.
#pragma once

#include "candidates.h"

namespace autoqnn {

struct Moments {
  double sum = 0, squares = 0, magnitudes = 0;
  float minimum = std::numeric_limits<float>::infinity(), maximum = -minimum;
};

TARGETS void AddMoments(const float* x, int count, Moments* moments) {
  Floats sum[kAtOnce] = {}, squares[kAtOnce] = {}, magnitudes[kAtOnce] = {};
  Floats minimum = All(x[0]), maximum = minimum;
  const int whole = count / kStride * kStride;
  for (int i = 0; i < whole; i += kStride) {
    for (int v = 0; v < kAtOnce; ++v) {
      const Floats value = Load(x + i + v * kLanes);
      sum[v] += value;
      squares[v] += value * value;
      magnitudes[v] += Magnitude(value);
      minimum = value < minimum ? value : minimum;
      maximum = value > maximum ? value : maximum;
    }
  }
  moments->sum += Sum(sum);
  moments->squares += Sum(squares);
  moments->magnitudes += Sum(magnitudes);
  for (int lane = 0; lane < kLanes; ++lane) {
    moments->minimum = std::min(moments->minimum, minimum[lane]);
    moments->maximum = std::max(moments->maximum, maximum[lane]);
  }
  // Nothing could complete the last stride that leaves both the sums and the extremes alone.
  for (int i = whole; i < count; ++i) {
    moments->sum += x[i];
    moments->squares += static_cast<double>(x[i]) * x[i];
    moments->magnitudes += std::abs(x[i]);
    moments->minimum = std::min(moments->minimum, x[i]);
    moments->maximum = std::max(moments->maximum, x[i]);
  }
}

// What is added up about the means: distances from the mean, a second pass since squares about 0 lose the digits of a
// deviation that is small beside the mean; the magnitudes above 0.7 times their mean, and their number; what is left of
// the magnitudes after a step of their mean.
struct Spread {
  double sum = 0, squares = 0, kept = 0, number = 0, remainders = 0;
};

TARGETS void AddSpread(const float* x, int count, float mean, float abs_mean, float half, Spread* spread) {
  // Two vectors at once of each of the five sums are what the registers hold.
  Floats sum[2] = {}, squares[2] = {}, kept[2] = {}, number[2] = {}, remainders[2] = {};
  const int whole = count / (2 * kLanes) * (2 * kLanes);
  for (int i = 0; i < whole; i += 2 * kLanes) {
    for (int v = 0; v < 2; ++v) {
      const Floats value = Load(x + i + v * kLanes), distance = value - All(mean), magnitude = Magnitude(value);
      sum[v] += distance;
      squares[v] += distance * distance;
      const Ints above = (Ints)(magnitude > All(half));
      kept[v] += If(above, magnitude);
      number[v] += If(above, All(1));
      // sign(0) = 0: what is met exactly stays met.
      remainders[v] += If((Ints)(magnitude > Floats{}), Magnitude(magnitude - All(abs_mean)));
    }
  }
  for (int v = 0; v < 2; ++v) {
    for (int lane = 0; lane < kLanes; ++lane) {
      spread->sum += sum[v][lane], spread->squares += squares[v][lane];
      spread->kept += kept[v][lane], spread->number += number[v][lane];
      spread->remainders += remainders[v][lane];
    }
  }
  // Nothing could complete the last vectors that leaves all five alone.
  for (int i = whole; i < count; ++i) {
    const float distance = x[i] - mean, magnitude = std::abs(x[i]);
    spread->sum += distance;
    spread->squares += static_cast<double>(distance) * distance;
    if (magnitude > half) spread->kept += magnitude, spread->number += 1;
    if (magnitude > 0) spread->remainders += std::abs(magnitude - abs_mean);
  }
}

// Adds up abs r_i after the steps with these scales. sign(0) = 0: what is met exactly stays met.
template <int kSteps>
INLINE double Remainders(const float* x, int count, const float* scales) {
  Floats sum[kAtOnce] = {};
  for (int i = 0; i < count; i += kStride) {
    for (int v = 0; v < kAtOnce; ++v) {
      Floats magnitude = Magnitude(Load(x + i + v * kLanes));
      for (int step = 0; step < kSteps; ++step) {
        const Ints open = (Ints)(magnitude > Floats{});
        magnitude = If(open, Magnitude(magnitude - All(scales[step])));
      }
      sum[v] += magnitude;
    }
  }
  return Sum(sum);
}

TARGETS void AddRemainders(const float* x, int count, const float* scales, int steps, double* sum) {
  *sum += steps == 2   ? Remainders<2>(x, count, scales)
          : steps == 3 ? Remainders<3>(x, count, scales)
                       : Remainders<4>(x, count, scales);
}

class StatisticsOp : public OpKernel {
 public:
  explicit StatisticsOp(OpKernelConstruction* construction) : OpKernel(construction) {
    int64_t only;
    OP_REQUIRES_OK(construction, construction->GetAttr("only", &only));
    only_ = static_cast<uint64_t>(only);
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t size = input.NumElements();
    OP_REQUIRES(context, size > 0, absl::InvalidArgumentError("Expected at least one value to measure, received none."));
    const float* x = input.flat<float>().data();
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({kStatistics}), &output));
    float* out = output->flat<float>().data();
    std::fill(out, out + kStatistics, 0.0f);

    const double n = static_cast<double>(size);
    Moments m;
    for (const Moments& part : Parts<Moments>(context, size, 0.3, [&](Moments* sums, int64_t first, int64_t count) {
           for (int64_t i = 0; i < count; i += kTile)
             AddMoments(x + first + i, static_cast<int>(std::min(kTile, count - i)), sums);
         })) {
      m.sum += part.sum, m.squares += part.squares, m.magnitudes += part.magnitudes;
      m.minimum = std::min(m.minimum, part.minimum), m.maximum = std::max(m.maximum, part.maximum);
    }
    if (std::isnan(m.sum)) m.minimum = m.maximum = std::numeric_limits<float>::quiet_NaN();
    out[kOne] = 1;
    out[kAbsMean] = static_cast<float>(m.magnitudes / n);
    out[kRectifiedRms] = static_cast<float>(std::sqrt(2 * m.squares / n));
    out[kMinimum] = m.minimum;
    out[kMaximum] = m.maximum;
    out[kAbsMaximum] = std::max(-m.minimum, m.maximum);
    int steps = kResidualSteps - 1;
    while (steps > 0 && !Needs(kResidual2 + steps - 1)) --steps;
    if (Needs(kDeviation) || Needs(kTernaryMean) || steps > 0) {
      const Spread spread = SpreadOf(context, x, size, static_cast<float>(m.sum / n), out[kAbsMean]);
      const double squares = spread.squares - spread.sum * spread.sum / n;
      out[kDeviation] = squares < 0 ? 0.0f : static_cast<float>(std::sqrt(squares / std::max<double>(1, n - 1)));
      out[kTernaryMean] = spread.number == 0 ? 0.0f : static_cast<float>(spread.kept / spread.number);
      out[kResidual2] = static_cast<float>(spread.remainders / n);
    }
    float scales[kResidualSteps] = {out[kAbsMean], out[kResidual2]};
    for (int i = 2; i <= steps; ++i) {
      double sum = 0;
      for (double part : Parts<double>(context, size, 0.2 * i, [&](double* own, int64_t first, int64_t count) {
             ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t, int64_t) {
               AddRemainders(tile, completed, scales, i, own);
             });
           }))
        sum += part;
      scales[i] = out[kResidual2 + i - 1] = static_cast<float>(sum / n);
    }
  }

 private:
  bool Needs(int statistic) const { return (only_ >> statistic) & 1; }

  // What `add` makes of each chunk, in their order.
  template <typename Part, typename Add>
  static std::vector<Part> Parts(OpKernelContext* context, int64_t size, double nanoseconds, Add add) {
    std::vector<Part> parts(Chunks(size));
    ForEachChunk(context, size, nanoseconds,
                 [&](int64_t chunk, int64_t first, int64_t count) { add(&parts[chunk], first, count); });
    return parts;
  }

  static Spread SpreadOf(OpKernelContext* context, const float* x, int64_t size, float mean, float abs_mean) {
    const auto half = static_cast<float>(0.7 * abs_mean);
    Spread all;
    for (const Spread& part : Parts<Spread>(context, size, 0.5, [&](Spread* own, int64_t first, int64_t count) {
           for (int64_t i = 0; i < count; i += kTile)
             AddSpread(x + first + i, static_cast<int>(std::min(kTile, count - i)), mean, abs_mean, half, own);
         })) {
      all.sum += part.sum, all.squares += part.squares, all.kept += part.kept, all.number += part.number;
      all.remainders += part.remainders;
    }
    return all;
  }

  uint64_t only_;
};

}  // namespace autoqnn
