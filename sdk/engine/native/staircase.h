// Staircase: y = scale (base + sum_k steps_k [x > scale thresholds_k]), and its gradient.
//
// Where there are more than a few thresholds, the rung of an element is found once and kept as a byte: of it the level is
// looked up, now and again for the backward pass, and the gradient needs it too.
#pragma once

#include "ladder.h"

namespace autoqnn {

TARGETS void Pack(const int32_t* rungs, int64_t count, uint8_t* bytes) {
  for (int64_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(rungs[i]);
}

// Completes the last stride with rung 0.
TARGETS void Unpack(const uint8_t* bytes, int64_t count, int64_t completed, int32_t* rungs) {
  for (int64_t i = 0; i < count; ++i) rungs[i] = bytes[i];
  std::fill(rungs + count, rungs + completed, 0);
}

// Rises of level at each rung: `first` below all, and every step at the rung that its threshold has become.
template <typename Number>
std::vector<Number> Rises(const Ladder& ladder, size_t from, const float* steps, size_t count, float first) {
  std::vector<Number> rises(ladder.size() + 1, 0);
  rises[0] = first;
  for (size_t k = 0; k < count; ++k)
    if (const int rung = ladder.rung[from + k]; rung >= 0) rises[rung + 1] += steps[k];
  return rises;
}

// The levels between the rungs.
std::vector<float> Levels(const Ladder& ladder, const Tensor& steps, float base, float scale) {
  std::vector<float> levels;
  double sum = 0;
  for (double rise : Rises<double>(ladder, 0, steps.flat<float>().data(), steps.NumElements(), base))
    levels.push_back(static_cast<float>(sum += rise) * scale);
  return levels;
}

class StaircaseOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &input = context->input(0), &steps = context->input(2);
    const int64_t size = input.NumElements();
    OP_REQUIRES(context, context->input(1).NumElements() == steps.NumElements(),
                absl::InvalidArgumentError("Expected one step for each threshold."));
    const float scale = context->input(4).flat<float>()(0);
    Ladder ladder;
    ladder.Add(context->input(1), scale, steps.flat<float>().data());
    const std::vector<float> levels = Levels(ladder, steps, context->input(3).flat<float>()(0), scale);
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    const float* x = input.flat<float>().data();
    float* y = output->flat<float>().data();
    const Finder finder(ladder, size);
    ForEachChunk(context, size, finder.Nanoseconds() + 0.3, [&](int64_t, int64_t first, int64_t count) {
      alignas(64) float full[kTile];
      alignas(64) int32_t rungs[kTile];
      ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t at, int64_t n) {
        float* out = n == completed ? y + at : full;
        if (ladder.size() < kNearLevels) {
          Climb(tile, completed, ladder.thresholds.data(), ladder.size(), levels.data(), out);
        } else {
          finder.Find(tile, completed, rungs);
          LookUp(levels.data(), ladder.size() + 1, rungs, completed, out);
        }
        if (out == full) std::memcpy(y + at, full, n * sizeof(float));
      });
    });
  }
};

// The rungs of elements on the ladder of both thresholds and mask, and the level at each rung.
class RungsOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &input = context->input(0), &steps = context->input(2);
    const int64_t size = input.NumElements();
    const float scale = context->input(4).flat<float>()(0);
    Ladder ladder;
    ladder.Add(context->input(1), scale, nullptr);
    ladder.Add(context->input(5), scale, context->input(6).flat<float>().data());
    const auto most = static_cast<int64_t>(ladder.rung.size());
    OP_REQUIRES(context, most < 256 && context->input(1).NumElements() == steps.NumElements(),
                absl::InvalidArgumentError("Expected one step for each of at most 255 thresholds."));
    Tensor *output = nullptr, *table = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, input.shape(), &output));
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({most + 1}), &table));
    std::vector<float> levels = Levels(ladder, steps, context->input(3).flat<float>()(0), scale);
    levels.resize(most + 1);
    std::copy(levels.begin(), levels.end(), table->flat<float>().data());
    const float* x = input.flat<float>().data();
    uint8_t* bytes = output->flat<uint8_t>().data();
    const Finder finder(ladder, size);
    ForEachChunk(context, size, finder.Nanoseconds() + 0.2, [&](int64_t, int64_t first, int64_t count) {
      alignas(64) int32_t rungs[kTile];
      ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t at, int64_t n) {
        finder.Find(tile, completed, rungs);
        Pack(rungs, n, bytes + at);
      });
    });
  }
};

// The levels of rungs.
class LevelsOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor &rungs = context->input(0), &levels = context->input(1);
    const auto count = static_cast<int>(levels.NumElements());
    OP_REQUIRES(context, 0 < count && count <= 256, absl::InvalidArgumentError("Expected a level for each rung."));
    // As many as a byte can name.
    std::vector<float> table(256, 0.0f);
    std::copy_n(levels.flat<float>().data(), count, table.begin());
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, rungs.shape(), &output));
    const uint8_t* bytes = rungs.flat<uint8_t>().data();
    float* y = output->flat<float>().data();
    ForEachChunk(context, rungs.NumElements(), 0.5, [&](int64_t, int64_t first, int64_t size) {
      alignas(64) float full[kTile];
      alignas(64) int32_t found[kTile];
      for (int64_t i = 0; i < size; i += kTile) {
        const int64_t at = first + i, n = std::min(kTile, size - i);
        const int completed = Completed(n);
        float* out = n == completed ? y + at : full;
        Unpack(bytes + at, n, completed, found);
        LookUp(table.data(), count, found, completed, out);
        if (out == full) std::memcpy(y + at, full, n * sizeof(float));
      }
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
    Floats mask[kAtOnce];
    for (int v = 0; v < kAtOnce; ++v) mask[v] = All(base);
    for (int k = 0; k < size; ++k)
      for (int v = 0; v < kAtOnce; ++v)
        mask[v] += If((Ints)(Load(x + i + v * kLanes) > All(thresholds[k])), All(steps[k]));
    for (int v = 0; v < kAtOnce; ++v) {
      const Floats whole = Load(dy + i + v * kLanes), gradient = whole * mask[v];
      Store(dx + i + v * kLanes, gradient);
      all[v] += whole;
      sum[v] += gradient * Load(x + i + v * kLanes);
    }
  }
  *total += Sum(all);
  *passed += Sum(sum);
}

// dx = dy share(x), by rung; adds up dx x.
TARGETS void PassByRung(const float* x, const float* dy, const int32_t* rungs, int count, const float* shares, float* dx,
                        double* passed) {
  for (int i = 0; i < count; ++i) dx[i] = dy[i] * shares[rungs[i]];
  Floats sum[kAtOnce] = {};
  for (int i = 0; i < count; i += kStride)
    for (int v = 0; v < kAtOnce; ++v) sum[v] += Load(dx + i + v * kLanes) * Load(x + i + v * kLanes);
  *passed += Sum(sum);
}

// The sums of a gradient by rung. In turns, because adding to what was just stored waits for the store, and neighbours
// often lie on one rung.
class Histogram {
 public:
  explicit Histogram(int rungs) : width_(rungs + 1), sums_(kTurns * width_, 0.0) {}

  void Add(const int32_t* rungs, const float* dy, int count) {
    double* sums = sums_.data();
    for (int i = 0; i < count; i += kTurns)
      for (int turn = 0; turn < kTurns; ++turn) sums[kTurns * rungs[i + turn] + turn] += dy[i + turn];
  }

  // The sums above each threshold, and behind them the sum of all.
  void Write(double* above) const {
    double sum = 0;
    for (int rung = width_ - 1; rung >= 0; --rung) {
      for (int turn = 0; turn < kTurns; ++turn) sum += sums_[kTurns * rung + turn];
      above[rung > 0 ? rung - 1 : width_ - 1] = sum;
    }
  }

 private:
  static constexpr int kTurns = 8;
  int width_;
  std::vector<double> sums_;
};

class StaircaseGradientOp : public OpKernel {
 public:
  explicit StaircaseGradientOp(OpKernelConstruction* construction) : OpKernel(construction) {
    tensorflow::DataType rungs;
    OP_REQUIRES_OK(construction, construction->GetAttr("Rungs", &rungs));
    kept_ = rungs == tensorflow::DT_UINT8;
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const int64_t size = input.NumElements();
    OP_REQUIRES(context, context->input(1).NumElements() == size,
                absl::InvalidArgumentError("Expected a gradient of the shape of x."));
    OP_REQUIRES(context, !kept_ || context->input(9).NumElements() == size,
                absl::InvalidArgumentError("Expected a kept rung for each element of x."));
    const float* x = input.flat<float>().data();
    const float* dy = context->input(1).flat<float>().data();
    const float* steps = context->input(3).flat<float>().data();
    const float base = context->input(4).flat<float>()(0), scale = context->input(5).flat<float>()(0);
    const float* mask_steps = context->input(7).flat<float>().data();
    const float mask_base = context->input(8).flat<float>()(0);
    const uint8_t* kept = kept_ ? context->input(9).flat<uint8_t>().data() : nullptr;
    const int64_t count = context->input(2).NumElements(), masks = context->input(6).NumElements();

    Tensor* outputs[4];
    // In the place of dy, which is seldom needed again: a tile is read before it is written.
    OP_REQUIRES_OK(context, context->forward_input_or_allocate_output({1}, 0, input.shape(), &outputs[0]));
    for (int i = 1; i < 4; ++i) {
      const int like[] = {0, 3, 4, 5};
      OP_REQUIRES_OK(context, context->allocate_output(i, context->input(like[i]).shape(), &outputs[i]));
    }
    float* dx = outputs[0]->flat<float>().data();
    Ladder ladder, mask;
    ladder.Add(context->input(2), scale, nullptr);
    mask.Add(context->input(6), scale, mask_steps);
    const bool few = ladder.size() + mask.size() <= kFew;
    // Of many thresholds those of the mask are found together with the others.
    if (!few) ladder.Add(context->input(6), scale, mask_steps);
    const std::vector<float> rises =
        few ? Rises<float>(mask, 0, mask_steps, masks, mask_base) : Rises<float>(ladder, count, mask_steps, masks, mask_base);
    std::vector<float> shares = rises;
    for (size_t rung = 1; rung < shares.size(); ++rung) shares[rung] += shares[rung - 1];

    const Finder finder(ladder, kept_ ? 0 : size);
    const int rungs = ladder.size(), total = rungs, passed = rungs + 1, width = rungs + 2;
    std::vector<double> sums(width * Chunks(size), 0.0);
    const double cost = few ? 0.06 * rungs + 0.5 + 0.05 * mask.size() : 1.5 + (kept_ ? 0 : finder.Nanoseconds());
    ForEachChunk(context, size, cost, [&](int64_t chunk, int64_t first, int64_t count) {
      double* own = &sums[chunk * width];
      Histogram histogram(few ? 0 : rungs);
      alignas(64) float copy[kTile], full[kTile];
      alignas(64) int32_t found[kTile];
      ForEachTile(x, first, count, 0, [&](const float* tile, int completed, int64_t at, int64_t n) {
        const float* gradient = Complete(dy + at, n, copy, 0);
        float* out = n == completed ? dx + at : full;
        if (few) {
          AddAllAbove(tile, gradient, completed, ladder.thresholds.data(), rungs, own);
          Pass(tile, gradient, completed, mask.thresholds.data(), rises.data() + 1, mask.size(), mask_base, out,
               own + total, own + passed);
        } else {
          if (kept_) {
            Unpack(kept + at, n, completed, found);
          } else {
            finder.Find(tile, completed, found);
          }
          histogram.Add(found, gradient, completed);
          PassByRung(tile, gradient, found, completed, shares.data(), out, own + passed);
        }
        if (out == full) std::memcpy(dx + at, full, n * sizeof(float));
      });
      if (!few) histogram.Write(own);
    });
    for (size_t i = width; i < sums.size(); ++i) sums[i % width] += sums[i];

    float* dsteps = outputs[1]->flat<float>().data();
    double stepped = base * sums[total];
    for (int64_t k = 0; k < count; ++k) {
      const double above = ladder.rung[k] < 0 ? 0 : sums[ladder.rung[k]];
      dsteps[k] = static_cast<float>(above * scale);
      stepped += above * steps[k];
    }
    outputs[2]->flat<float>()(0) = static_cast<float>(sums[total] * scale);
    outputs[3]->flat<float>()(0) = static_cast<float>(stepped - sums[passed] / scale);
  }

 private:
  // Whether rungs were kept, as bytes; otherwise their input is empty.
  bool kept_ = false;
};

}  // namespace autoqnn
