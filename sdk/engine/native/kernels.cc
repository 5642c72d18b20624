// The project's own operations for the CPU: statistics, tables of candidates, staircases and their gradient.
//
// Results do not depend on threads: a tensor is cut into fixed chunks, and what the chunks sum up is added in their order.
// They are written with the compiler's vector extension rather than for one processor; TARGETS compiles each hot loop
// for several and picks one when the library is loaded.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define TARGETS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define TARGETS
#endif

// Vectors are passed only to functions that are inlined, so that no calling convention depends on the processor.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

constexpr int kLanes = 16;
typedef float Floats __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

// Elements that one thread takes at a time, and elements whose sums stay in float32 before they are added in float64.
constexpr int64_t kChunk = 32768;
constexpr int64_t kTile = 1024;
static_assert(kTile % kLanes == 0 && kChunk % kTile == 0);

#define INLINE inline __attribute__((always_inline))

INLINE Floats Load(const float* p) { return *reinterpret_cast<const Floats*>(p); }
INLINE void Store(float* p, Floats v) { *reinterpret_cast<Floats*>(p) = v; }
INLINE Floats All(float v) { return v - Floats{}; }
INLINE Floats If(Ints condition, Floats v) { return (Floats)(condition & (Ints)v); }
INLINE Floats Magnitude(Floats v) { return (Floats)((Ints)v & 0x7fffffff); }
INLINE double Sum(Floats v) {
  double sum = 0;
  for (int lane = 0; lane < kLanes; ++lane) sum += v[lane];
  return sum;
}

// Calls body(chunk, first element, number of elements), on TensorFlow's threads where there is more than one chunk.
template <typename Body>
void ForEachChunk(OpKernelContext* context, int64_t size, double nanoseconds, Body body) {
  const int64_t chunks = (size + kChunk - 1) / kChunk;
  const auto range = [&](int64_t from, int64_t to) {
    for (int64_t c = from; c < to; ++c) body(c, c * kChunk, std::min(kChunk, size - c * kChunk));
  };
  if (chunks <= 1) return range(0, chunks);
  const auto cost = static_cast<int64_t>(kChunk * nanoseconds * 3);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(chunks, cost, range);
}

// How many vectors hold so many elements.
INLINE int Vectors(int64_t count) { return static_cast<int>((count + kLanes - 1) / kLanes); }

// The elements, or, where the last vector is incomplete, a copy that `filler` completes.
INLINE const float* Complete(const float* p, int64_t count, float* copy, float filler) {
  if (count % kLanes == 0) return p;
  std::memcpy(copy, p, count * sizeof(float));
  std::fill(copy + count, copy + Vectors(count) * kLanes, filler);
  return copy;
}

// Calls body(elements, vectors, first element, count) for the tiles of a chunk, incomplete vectors completed by `filler`.
template <typename Body>
void ForEachTile(const float* x, int64_t first, int64_t count, float filler, Body body) {
  alignas(64) float copy[kTile];
  for (int64_t i = 0; i < count; i += kTile) {
    const int64_t n = std::min(kTile, count - i);
    body(Complete(x + first + i, n, copy, filler), Vectors(n), first + i, n);
  }
}

// ---- Statistics: the raw statistic vector, in the order of statistics.ts; one bit of `only` says that one is needed.

enum Statistic { kOne, kAbsMean, kTernaryMean, kDeviation, kRectifiedRms, kMinimum, kMaximum, kAbsMaximum, kResidual2 };
constexpr int kStatistics = 12;
constexpr int kResidualSteps = 5;

struct Moments {
  double sum = 0, squares = 0, magnitudes = 0;
  float minimum = std::numeric_limits<float>::infinity(), maximum = -minimum;
};

TARGETS void AddMoments(const float* x, int count, Moments* moments) {
  Floats sum{}, squares{}, magnitudes{}, minimum = All(x[0]), maximum = minimum;
  const int whole = count / kLanes * kLanes;
  for (int i = 0; i < whole; i += kLanes) {
    const Floats value = Load(x + i);
    sum += value;
    squares += value * value;
    magnitudes += Magnitude(value);
    minimum = value < minimum ? value : minimum;
    maximum = value > maximum ? value : maximum;
  }
  moments->sum += Sum(sum);
  moments->squares += Sum(squares);
  moments->magnitudes += Sum(magnitudes);
  for (int lane = 0; lane < kLanes; ++lane) {
    moments->minimum = std::min(moments->minimum, minimum[lane]);
    moments->maximum = std::max(moments->maximum, maximum[lane]);
  }
  for (int i = whole; i < count; ++i) {
    moments->sum += x[i];
    moments->squares += static_cast<double>(x[i]) * x[i];
    moments->magnitudes += std::abs(x[i]);
    moments->minimum = std::min(moments->minimum, x[i]);
    moments->maximum = std::max(moments->maximum, x[i]);
  }
}

// Sums of distances from about the mean: a second pass, since squares about 0 lose the digits of a deviation that is
// small beside the mean.
struct Distances {
  double sum = 0, squares = 0;
};

TARGETS void AddDistances(const float* x, int vectors, float mean, Distances* distances) {
  Floats sum{}, squares{};
  for (int v = 0; v < vectors; ++v) {
    const Floats distance = Load(x + v * kLanes) - All(mean);
    sum += distance;
    squares += distance * distance;
  }
  distances->sum += Sum(sum);
  distances->squares += Sum(squares);
}

// The sum, and the number, of the magnitudes above `half`.
struct Kept {
  double sum = 0, count = 0;
};

TARGETS void AddKept(const float* x, int vectors, float half, Kept* kept) {
  Floats sum{};
  Ints count{};
  for (int v = 0; v < vectors; ++v) {
    const Floats magnitude = Magnitude(Load(x + v * kLanes));
    const Ints above = (Ints)(magnitude > All(half));
    sum += If(above, magnitude);
    count -= above;
  }
  kept->sum += Sum(sum);
  for (int lane = 0; lane < kLanes; ++lane) kept->count += count[lane];
}

// The sum of abs r_i after the steps with these scales. sign(0) = 0: what is met exactly stays met.
template <int kSteps>
INLINE Floats Remainders(const float* x, int vectors, const float* scales) {
  Floats sum{};
  for (int v = 0; v < vectors; ++v) {
    Floats magnitude = Magnitude(Load(x + v * kLanes));
    for (int i = 0; i < kSteps; ++i) {
      const Ints open = (Ints)(magnitude > Floats{});
      magnitude = If(open, Magnitude(magnitude - All(scales[i])));
    }
    sum += magnitude;
  }
  return sum;
}

TARGETS void AddRemainders(const float* x, int vectors, const float* scales, int steps, double* sum) {
  *sum += Sum(steps == 1   ? Remainders<1>(x, vectors, scales)
              : steps == 2 ? Remainders<2>(x, vectors, scales)
              : steps == 3 ? Remainders<3>(x, vectors, scales)
                           : Remainders<4>(x, vectors, scales));
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
    if (Needs(kDeviation)) out[kDeviation] = Deviation(context, x, size, static_cast<float>(m.sum / n));
    if (Needs(kTernaryMean)) out[kTernaryMean] = TernaryMean(context, x, size, out[kAbsMean]);
    int steps = kResidualSteps - 1;
    while (steps > 0 && !Needs(kResidual2 + steps - 1)) --steps;
    float scales[kResidualSteps] = {out[kAbsMean]};
    for (int i = 1; i <= steps; ++i) {
      const auto add = [&](const float* tile, int vectors, double* sum) { AddRemainders(tile, vectors, scales, i, sum); };
      double sum = 0;
      for (double part : TileParts<double>(context, x, size, 0.2 * i, 0, add)) sum += part;
      scales[i] = out[kResidual2 + i - 1] = static_cast<float>(sum / n);
    }
  }

 private:
  bool Needs(int statistic) const { return (only_ >> statistic) & 1; }

  // What `add` makes of each chunk, in their order.
  template <typename Part, typename Add>
  static std::vector<Part> Parts(OpKernelContext* context, int64_t size, double nanoseconds, Add add) {
    std::vector<Part> parts((size + kChunk - 1) / kChunk);
    ForEachChunk(context, size, nanoseconds,
                 [&](int64_t chunk, int64_t first, int64_t count) { add(&parts[chunk], first, count); });
    return parts;
  }

  // The same of their tiles, completed by `filler`.
  template <typename Part, typename Add>
  static std::vector<Part> TileParts(OpKernelContext* context, const float* x, int64_t size, double nanoseconds,
                                     float filler, Add add) {
    return Parts<Part>(context, size, nanoseconds, [&](Part* part, int64_t first, int64_t count) {
      ForEachTile(x, first, count, filler,
                  [&](const float* tile, int vectors, int64_t, int64_t) { add(tile, vectors, part); });
    });
  }

  static float Deviation(OpKernelContext* context, const float* x, int64_t size, float mean) {
    const auto add = [&](const float* tile, int vectors, Distances* part) { AddDistances(tile, vectors, mean, part); };
    Distances all;
    for (const Distances& part : TileParts<Distances>(context, x, size, 0.2, mean, add))
      all.sum += part.sum, all.squares += part.squares;
    const double squares = all.squares - all.sum * all.sum / static_cast<double>(size);
    return squares < 0 ? 0.0f : static_cast<float>(std::sqrt(squares / std::max<double>(1, size - 1)));
  }

  static float TernaryMean(OpKernelContext* context, const float* x, int64_t size, float abs_mean) {
    const auto half = static_cast<float>(0.7 * abs_mean);
    const auto add = [&](const float* tile, int vectors, Kept* part) { AddKept(tile, vectors, half, part); };
    Kept all;
    for (const Kept& part : TileParts<Kept>(context, x, size, 0.2, 0, add)) all.sum += part.sum, all.count += part.count;
    return all.count == 0 ? 0.0f : static_cast<float>(all.sum / all.count);
  }

  uint64_t only_;
};

// ---- Table: thresholds, jumps and bases of several candidates, linear in the statistic vector (kernels/table.ts).

class TableOp : public OpKernel {
 public:
  explicit TableOp(OpKernelConstruction* construction) : OpKernel(construction) {
    std::vector<float> rows;
    OP_REQUIRES_OK(construction, construction->GetAttr("rows", &rows));
    OP_REQUIRES_OK(construction, construction->GetAttr("lowered", &lowered_));
    OP_REQUIRES_OK(construction, construction->GetAttr("owner", &owner_));
    OP_REQUIRES_OK(construction, construction->GetAttr("within", &within_));
    rows_ = rows.size() / kStatistics;
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i] != 0) entries_.push_back({i / kStatistics, i % kStatistics, rows[i]});
  }

  bool IsExpensive() override { return false; }

  void Compute(OpKernelContext* context) override {
    const int64_t thresholds = owner_.size(), candidates = rows_ - 2 * thresholds;
    const Tensor& input = context->input(0);
    const Tensor& shown = context->input(1);
    OP_REQUIRES(context, input.NumElements() == kStatistics && shown.NumElements() == candidates,
                absl::InvalidArgumentError("Expected a statistic vector and a flag for each candidate."));
    const float* statistics = input.flat<float>().data();
    const float* active = shown.flat<float>().data();
    double derived[kStatistics];
    std::copy(statistics, statistics + kStatistics, derived);
    derived[kAbsMaximum] = PowerOfTwo(statistics[kAbsMaximum]);

    std::vector<double> values(rows_, 0.0);
    for (const Entry& entry : entries_) values[entry.row] += entry.weight * derived[entry.place];
    Tensor* outputs[3];
    const int64_t sizes[] = {thresholds, thresholds, candidates};
    for (int i = 0; i < 3; ++i)
      OP_REQUIRES_OK(context, context->allocate_output(i, TensorShape({sizes[i]}), &outputs[i]));
    float* t = outputs[0]->flat<float>().data();
    float* jumps = outputs[1]->flat<float>().data();
    float* bases = outputs[2]->flat<float>().data();
    for (int64_t k = 0; k < thresholds; ++k) {
      t[k] = static_cast<float>(values[k]);
      if (lowered_[k]) t[k] -= std::max(std::abs(t[k]) * (1.25f / (1 << 24)), 0x1p-100f);
    }
    for (size_t i = 0; i < within_.size(); i += 3) {
      float& value = t[within_[i]];
      if (within_[i + 2] >= 0) value = std::min(value, t[within_[i + 2]]);
      if (within_[i + 1] >= 0) value = std::max(value, t[within_[i + 1]]);
    }
    for (int64_t k = 0; k < thresholds; ++k) {
      const bool open = active[owner_[k]] != 0;
      if (!open) t[k] = std::numeric_limits<float>::infinity();
      jumps[k] = open ? static_cast<float>(values[thresholds + k]) : 0;
    }
    for (int64_t i = 0; i < candidates; ++i)
      bases[i] = active[i] != 0 ? static_cast<float>(values[2 * thresholds + i]) : 0;
  }

 private:
  struct Entry {
    size_t row, place;
    double weight;
  };

  // 2^floor(log2 x) by the exponent bits alone; logarithms are not exact at powers of two.
  static float PowerOfTwo(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits &= 0x7f800000;
    std::memcpy(&x, &bits, sizeof bits);
    return x;
  }

  size_t rows_;
  std::vector<Entry> entries_;
  std::vector<int64_t> lowered_, owner_, within_;
};

// ---- Staircase: y = scale (base + sum_k steps_k [x > scale thresholds_k]), and its gradient.

// Thresholds in ascending order, each once; which of them each of the given ones is, -1 for those never passed.
struct Ladder {
  std::vector<float> thresholds;
  std::vector<int> rung;

  // Without `steps`, those of no height are kept: they have a gradient.
  Ladder(const Tensor& given, float scale, const float* steps) : rung(given.NumElements(), -1) {
    const float* t = given.flat<float>().data();
    std::vector<std::pair<float, int>> order;
    for (int k = 0; k < static_cast<int>(rung.size()); ++k)
      if (t[k] < std::numeric_limits<float>::infinity() && !(steps && steps[k] == 0)) order.emplace_back(t[k] * scale, k);
    std::sort(order.begin(), order.end());
    for (const auto& [threshold, k] : order) {
      if (thresholds.empty() || thresholds.back() < threshold) thresholds.push_back(threshold);
      rung[k] = static_cast<int>(thresholds.size()) - 1;
    }
  }

  int size() const { return static_cast<int>(thresholds.size()); }
};

// Up to so many thresholds are compared one by one, with whole vectors.
constexpr int kFew = 24;

// Finds how many thresholds of a ladder lie below an element. The range is cut into cells; an element is compared with the
// thresholds of its cell only. Which cell it is may be rounded, since thresholds and elements are rounded alike.
class Cells {
 public:
  explicit Cells(const Ladder& ladder) : thresholds_(ladder.thresholds), start_(kCells + 1, 0) {
    low_ = thresholds_.front();
    per_unit_ = kCells / (thresholds_.back() - low_);
    std::vector<int> inside(kCells, 0);
    for (float t : thresholds_) ++inside[CellOf(t)];
    for (int cell = 0; cell < kCells; ++cell) start_[cell + 1] = start_[cell] + inside[cell];
    deepest_ = *std::max_element(inside.begin(), inside.end());
    thresholds_.insert(thresholds_.end(), deepest_, std::numeric_limits<float>::infinity());
  }

  // Comparing whole vectors with every threshold is quicker than many comparisons one by one.
  bool Useful() const { return deepest_ <= 6; }

  void Find(const float* x, int count, int32_t* rungs) const;

 private:
  static constexpr int kCells = 4096;

  INLINE int CellOf(float x) const {
    const float cell = (x - low_) * per_unit_;
    // In this order NaN falls into the first cell.
    return static_cast<int>(std::min(std::max(0.0f, cell), static_cast<float>(kCells - 1)));
  }

  std::vector<float> thresholds_;
  std::vector<int32_t> start_;
  float low_, per_unit_;
  int deepest_;
};

TARGETS void Cells::Find(const float* x, int count, int32_t* rungs) const {
  const float* t = thresholds_.data();
  const int32_t* start = start_.data();
  for (int i = 0; i < count; ++i) rungs[i] = start[CellOf(x[i])];
  for (int m = 0; m < deepest_; ++m) {
    // Behind the last threshold of its cell an element meets those of later cells, which lie above it.
    for (int i = 0; i < count; ++i) rungs[i] += x[i] > t[rungs[i]];
  }
}

TARGETS void Count(const float* x, int vectors, const float* thresholds, int size, int32_t* rungs) {
  for (int v = 0; v < vectors; ++v) {
    const Floats value = Load(x + v * kLanes);
    Ints count{};
    for (int k = 0; k < size; ++k) count -= (Ints)(value > All(thresholds[k]));
    *reinterpret_cast<Ints*>(rungs + v * kLanes) = count;
  }
}

// Rungs of elements, by whichever way is quicker.
class Finder {
 public:
  Finder(const Ladder& ladder, int64_t elements) : ladder_(ladder) {
    if (ladder.size() <= kFew || elements < 8192) return;
    cells_.emplace(ladder);
    if (!cells_->Useful()) cells_.reset();
  }

  void Find(const float* x, int vectors, int32_t* rungs) const {
    if (cells_) return cells_->Find(x, vectors * kLanes, rungs);
    Count(x, vectors, ladder_.thresholds.data(), ladder_.size(), rungs);
  }

  double Nanoseconds() const { return cells_ ? 2 : 0.1 + 0.08 * ladder_.size(); }

 private:
  const Ladder& ladder_;
  std::optional<Cells> cells_;
};

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
      ForEachTile(x, first, count, 0, [&](const float* tile, int vectors, int64_t at, int64_t n) {
        alignas(64) int32_t rungs[kTile];
        finder.Find(tile, vectors, rungs);
        for (int64_t i = 0; i < n; ++i) y[at + i] = levels[rungs[i]];
      });
    });
  }
};

// sums_k += sum of dy over x > t_k, several thresholds at a time.
template <int kAtOnce>
INLINE void AddAbove(const float* x, const float* dy, int vectors, const float* thresholds, double* sums) {
  Floats above[kAtOnce] = {};
  for (int v = 0; v < vectors; ++v) {
    const Floats value = Load(x + v * kLanes), gradient = Load(dy + v * kLanes);
    for (int k = 0; k < kAtOnce; ++k) above[k] += If((Ints)(value > All(thresholds[k])), gradient);
  }
  for (int k = 0; k < kAtOnce; ++k) sums[k] += Sum(above[k]);
}

TARGETS void AddAllAbove(const float* x, const float* dy, int vectors, const float* thresholds, int size, double* sums) {
  int k = 0;
  for (; k + 3 <= size; k += 3) AddAbove<3>(x, dy, vectors, thresholds + k, sums + k);
  for (; k < size; ++k) AddAbove<1>(x, dy, vectors, thresholds + k, sums + k);
}

TARGETS void AddTotal(const float* dy, int vectors, double* total) {
  Floats sum{};
  for (int v = 0; v < vectors; ++v) sum += Load(dy + v * kLanes);
  *total += Sum(sum);
}

// dx = dy mask(x); adds up dx x.
TARGETS void Pass(const float* x, const float* dy, int vectors, const float* thresholds, const float* steps, int size,
                  float base, float* dx, double* passed) {
  Floats sum{};
  for (int v = 0; v < vectors; ++v) {
    const Floats value = Load(x + v * kLanes);
    Floats mask = All(base);
    for (int k = 0; k < size; ++k) mask += If((Ints)(value > All(thresholds[k])), All(steps[k]));
    const Floats gradient = Load(dy + v * kLanes) * mask;
    Store(dx + v * kLanes, gradient);
    sum += gradient * value;
  }
  *passed += Sum(sum);
}

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
    std::vector<double> sums(width * ((size + kChunk - 1) / kChunk), 0.0);
    const double cost = std::min(0.1 * rungs, finder.Nanoseconds() + 1.5) + 0.5 + 0.1 * mask.size();
    ForEachChunk(context, size, cost, [&](int64_t chunk, int64_t first, int64_t count) {
      double* own = &sums[chunk * width];
      alignas(64) float copy[kTile], full[kTile];
      ForEachTile(x, first, count, 0, [&](const float* tile, int vectors, int64_t at, int64_t n) {
        const float* gradient = Complete(dy + at, n, copy, 0);
        if (rungs <= kFew) {
          AddAllAbove(tile, gradient, vectors, ladder.thresholds.data(), rungs, own);
        } else {
          AddHistogram(finder, tile, gradient, vectors, rungs, own);
        }
        AddTotal(gradient, vectors, own + total);
        float* out = n % kLanes == 0 ? dx + at : full;
        Pass(tile, gradient, vectors, mask.thresholds.data(), shares.data(), mask.size(), mask_base, out, own + passed);
        if (out == full) std::memcpy(dx + at, full, n * sizeof(float));
      });
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

 private:
  // By a histogram of the gradient; in turns, because adding to what was just stored waits for the store.
  static void AddHistogram(const Finder& finder, const float* x, const float* dy, int vectors, int rungs, double* sums) {
    constexpr int kTurns = 4;
    alignas(64) int32_t found[kTile];
    finder.Find(x, vectors, found);
    std::vector<double> histogram(kTurns * (rungs + 1), 0.0);
    for (int i = 0; i < vectors * kLanes; i += kTurns)
      for (int turn = 0; turn < kTurns; ++turn) histogram[turn * (rungs + 1) + found[i + turn]] += dy[i + turn];
    double above = 0;
    for (int k = rungs; k > 0; --k) {
      for (int turn = 0; turn < kTurns; ++turn) above += histogram[turn * (rungs + 1) + k];
      sums[k - 1] += above;
    }
  }
};

using tensorflow::shape_inference::InferenceContext;

absl::Status TableShape(InferenceContext* c) {
  std::vector<int64_t> owner;
  std::vector<float> rows;
  TF_RETURN_IF_ERROR(c->GetAttr("owner", &owner));
  TF_RETURN_IF_ERROR(c->GetAttr("rows", &rows));
  const int64_t thresholds = owner.size(), candidates = rows.size() / kStatistics - 2 * thresholds;
  c->set_output(0, c->Vector(thresholds));
  c->set_output(1, c->Vector(thresholds));
  c->set_output(2, c->Vector(candidates));
  return absl::OkStatus();
}

REGISTER_OP("AutoqnnStatistics")
    .Input("x: float")
    .Output("statistics: float")
    .Attr("only: int")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Vector(kStatistics));
      return absl::OkStatus();
    });

REGISTER_OP("AutoqnnTable")
    .Input("statistics: float")
    .Input("active: float")
    .Output("thresholds: float")
    .Output("jumps: float")
    .Output("bases: float")
    .Attr("rows: list(float)")
    .Attr("lowered: list(int)")
    .Attr("owner: list(int)")
    .Attr("within: list(int)")
    .SetShapeFn(TableShape);

REGISTER_OP("AutoqnnStaircase")
    .Input("x: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("AutoqnnStaircaseGradient")
    .Input("x: float")
    .Input("dy: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Input("mask_thresholds: float")
    .Input("mask_steps: float")
    .Input("mask_base: float")
    .Output("dx: float")
    .Output("dsteps: float")
    .Output("dbase: float")
    .Output("dscale: float")
    .SetShapeFn([](InferenceContext* c) {
      const int like[] = {0, 3, 4, 5};
      for (int i = 0; i < 4; ++i) c->set_output(i, c->input(like[i]));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("AutoqnnStatistics").Device(tensorflow::DEVICE_CPU), StatisticsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnTable").Device(tensorflow::DEVICE_CPU), TableOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircase").Device(tensorflow::DEVICE_CPU), StaircaseOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircaseGradient").Device(tensorflow::DEVICE_CPU), StaircaseGradientOp);

}  // namespace
