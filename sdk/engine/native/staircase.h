// Staircase: y = scale (base + sum_k steps_k [x > scale thresholds_k]), and its gradient.
#pragma once

#include "ladder.h"

namespace autoqnn {

class StaircaseOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const Tensor& given = context->input(2);
    OP_REQUIRES(context, context->input(1).NumElements() == given.NumElements(),
                absl::InvalidArgumentError("Expected one step for each threshold."));
    const float* steps = given.flat<float>().data();
    const float scale = context->input(4).flat<float>()(0);
    const Ladder ladder(context->input(1), scale, steps);
    std::vector<double> rises(ladder.size() + 1, 0.0);
    rises[0] = context->input(3).flat<float>()(0);
    for (size_t k = 0; k < ladder.rung.size(); ++k)
      if (ladder.rung[k] >= 0) rises[ladder.rung[k] + 1] += steps[k];
    std::vector<float> levels(rises.size());
    double sum = 0;
    for (size_t k = 0; k < rises.size(); ++k) levels[k] = static_cast<float>(sum += rises[k]) * scale;

    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({0}, 0, input.shape(), &output));
    const float* x = input.flat<float>().data();
    float* y = output->flat<float>().data();
    const Finder finder(ladder, input.NumElements());
    ForEachChunk(context, input.NumElements(), finder.Nanoseconds() + 0.3, [&](int64_t, int64_t first, int64_t count) {
      ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t at, int64_t n) {
        alignas(64) int32_t rungs[kTile];
        finder.Find(tile, completed, rungs);
        for (int64_t i = 0; i < n; ++i) y[at + i] = levels[rungs[i]];
      });
    });
  }
};

// sums_k += sum of dy over x > t_k, for `kSums` thresholds at a time.
template <int kSums>
INLINE void AddAbove(const float* x, const float* dy, int count, const float* thresholds, double* sums) {
  Floats above[kSums] = {};
  for (int i = 0; i < count; i += kLanes) {
    const Floats value = Load(x + i), gradient = Load(dy + i);
    for (int k = 0; k < kSums; ++k) above[k] += If((Ints)(value > All(thresholds[k])), gradient);
  }
  for (int k = 0; k < kSums; ++k)
    for (int lane = 0; lane < kLanes; ++lane) sums[k] += above[k][lane];
}

TARGETS void AddAllAbove(const float* x, const float* dy, int count, const float* thresholds, int size, double* sums) {
  int k = 0;
  for (; k + 6 <= size; k += 6) AddAbove<6>(x, dy, count, thresholds + k, sums + k);
  for (; k + 3 <= size; k += 3) AddAbove<3>(x, dy, count, thresholds + k, sums + k);
  for (; k < size; ++k) AddAbove<1>(x, dy, count, thresholds + k, sums + k);
}

// dx = dy mask(x); adds up dy, and dx x.
TARGETS void Pass(const float* x, const float* dy, int count, const float* thresholds, const float* steps, int size,
                  float base, float* dx, double* total, double* passed) {
  Floats all[kAtOnce] = {}, sum[kAtOnce] = {};
  for (int i = 0; i < count; i += kStride) {
    for (int v = 0; v < kAtOnce; ++v) {
      const Floats value = Load(x + i + v * kLanes), whole = Load(dy + i + v * kLanes);
      Floats mask = All(base);
      for (int k = 0; k < size; ++k) mask += If((Ints)(value > All(thresholds[k])), All(steps[k]));
      const Floats gradient = whole * mask;
      Store(dx + i + v * kLanes, gradient);
      all[v] += whole;
      sum[v] += gradient * value;
    }
  }
  *total += Sum(all);
  *passed += Sum(sum);
}

// The sums of a gradient by rung. In turns, because adding to what was just stored waits for the store.
class Histogram {
 public:
  explicit Histogram(int rungs) : width_(rungs + 1), sums_(kTurns * width_, 0.0) {}

  void Add(const int32_t* rungs, const float* dy, int count) {
    for (int i = 0; i < count; i += kTurns)
      for (int turn = 0; turn < kTurns; ++turn) sums_[turn * width_ + rungs[i + turn]] += dy[i + turn];
  }

  // The sums above each threshold.
  void Write(double* above) const {
    double sum = 0;
    for (int rung = width_ - 1; rung > 0; --rung) {
      for (int turn = 0; turn < kTurns; ++turn) sum += sums_[turn * width_ + rung];
      above[rung - 1] = sum;
    }
  }

 private:
  static constexpr int kTurns = 4;
  int width_;
  std::vector<double> sums_;
};

class StaircaseGradientOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t size = input.NumElements();
    OP_REQUIRES(context, context->input(1).NumElements() == size,
                absl::InvalidArgumentError("Expected a gradient of the shape of x."));
    const float* x = input.flat<float>().data();
    const float* dy = context->input(1).flat<float>().data();
    const float* steps = context->input(3).flat<float>().data();
    const float base = context->input(4).flat<float>()(0), scale = context->input(5).flat<float>()(0);
    const float mask_base = context->input(8).flat<float>()(0);
    const Ladder ladder(context->input(2), scale, nullptr);
    const float* mask_steps = context->input(7).flat<float>().data();
    const Ladder mask(context->input(6), scale, mask_steps);
    std::vector<float> shares(mask.size(), 0.0f);
    for (size_t k = 0; k < mask.rung.size(); ++k)
      if (mask.rung[k] >= 0) shares[mask.rung[k]] += mask_steps[k];

    Tensor* outputs[4];
    for (int i = 0; i < 4; ++i) {
      const int like[] = {0, 3, 4, 5};
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(like[i]).shape(), &outputs[i]));
    }
    float* dx = outputs[0]->flat<float>().data();
    const Finder finder(ladder, size);
    const int rungs = ladder.size(), total = rungs, passed = rungs + 1, width = rungs + 2;
    const bool few = rungs <= kFew;
    std::vector<double> sums(width * Chunks(size), 0.0);
    const double cost = (few ? 0.06 * rungs : finder.Nanoseconds() + 0.8) + 0.5 + 0.05 * mask.size();
    ForEachChunk(context, size, cost, [&](int64_t chunk, int64_t first, int64_t count) {
      double* own = &sums[chunk * width];
      Histogram histogram(few ? 0 : rungs);
      alignas(64) float copy[kTile], full[kTile];
      alignas(64) int32_t found[kTile];
      ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t at, int64_t n) {
        const float* gradient = Complete(dy + at, n, copy, 0);
        if (few) {
          AddAllAbove(tile, gradient, completed, ladder.thresholds.data(), rungs, own);
        } else {
          finder.Find(tile, completed, found);
          histogram.Add(found, gradient, completed);
        }
        float* out = n == completed ? dx + at : full;
        Pass(tile, gradient, completed, mask.thresholds.data(), shares.data(), mask.size(), mask_base, out, own + total,
             own + passed);
        if (out == full) std::memcpy(dx + at, full, n * sizeof(float));
      });
      if (!few) histogram.Write(own);
    });
    for (size_t i = width; i < sums.size(); ++i) sums[i % width] += sums[i];

    float* dsteps = outputs[1]->flat<float>().data();
    double stepped = base * sums[total];
    for (size_t k = 0; k < ladder.rung.size(); ++k) {
      const double above = ladder.rung[k] < 0 ? 0 : sums[ladder.rung[k]];
      dsteps[k] = static_cast<float>(above * scale);
      stepped += above * steps[k];
    }
    outputs[2]->flat<float>()(0) = static_cast<float>(sums[total] * scale);
    outputs[3]->flat<float>()(0) = static_cast<float>(stepped - sums[passed] / scale);
  }
};

}  // namespace autoqnn
