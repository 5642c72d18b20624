// Ladders: the ascending thresholds of a staircase, and how many of them lie below an element.
#pragma once

#include <numeric>
#include <optional>
#include <utility>

#include "vectors.h"

namespace autoqnn {

// Thresholds in ascending order, each once; which of them each of the given ones is, -1 for those never passed.
struct Ladder {
  std::vector<float> thresholds;
  std::vector<int> rung;

  // Adds thresholds, whose rungs follow those of the ones before. Without `steps`, those of no height are kept: they have
  // a gradient.
  void Add(const Tensor& given, float scale, const float* steps) {
    const float* t = given.flat<float>().data();
    const int first = static_cast<int>(rung.size()), count = static_cast<int>(given.NumElements());
    rung.resize(first + count, -1);
    for (int k = 0; k < count; ++k)
      if (t[k] < std::numeric_limits<float>::infinity() && !(steps && steps[k] == 0))
        order_.emplace_back(t[k] * scale, first + k);
    std::sort(order_.begin(), order_.end());
    thresholds.clear();
    for (const auto& [threshold, k] : order_) {
      if (thresholds.empty() || thresholds.back() < threshold) thresholds.push_back(threshold);
      rung[k] = size() - 1;
    }
  }

  int size() const { return static_cast<int>(thresholds.size()); }

 private:
  std::vector<std::pair<float, int>> order_;
};

// Finds how many thresholds of a ladder lie below an element. The range is cut into cells; an element is compared with the
// thresholds of its cell only, by halving. Which cell it is may be rounded, since thresholds and elements are rounded
// alike.
class Cells {
 public:
  Cells(const Ladder& ladder, int64_t elements) : thresholds_(ladder.thresholds) {
    int cells = kFewestCells;
    // Cells beyond the processor's nearest cache, or beyond what the elements repay, cost more than they save.
    while (cells < kMostCells && cells < 16 * ladder.size() && 8 * cells < elements) cells *= 2;
    std::vector<int> start(cells + 1, 0);
    low_ = thresholds_.front();
    top_ = static_cast<float>(cells - 1);
    per_unit_ = static_cast<float>(cells) / (thresholds_.back() - low_);
    for (float t : thresholds_) ++start[CellOf(t) + 1];
    const int deepest = *std::max_element(start.begin(), start.end());
    std::partial_sum(start.begin(), start.end(), start.begin());
    start_.assign(start.begin(), start.end());
    while (2 * stride_ <= deepest) stride_ *= 2;
    thresholds_.insert(thresholds_.end(), 2 * stride_, std::numeric_limits<float>::infinity());
  }

  void Find(const float* x, int count, int32_t* rungs) const;

 private:
  static constexpr int kFewestCells = 1024, kMostCells = 4096;

  INLINE int CellOf(float x) const {
    const float cell = (x - low_) * per_unit_;
    // In this order NaN falls into the first cell.
    return static_cast<int>(std::min(std::max(0.0f, cell), top_));
  }

  std::vector<float> thresholds_;
  // How many thresholds lie in the cells before. In 16 bits, of which the nearest cache holds twice as many.
  std::vector<uint16_t> start_;
  float low_, top_, per_unit_;
  // The largest power of two that is no more than the thresholds of the fullest cell.
  int stride_ = 1;
};

// Keeps a loop of loads from becoming one of gathers, which take longer than the loads themselves.
INLINE int Alone(int index) {
  asm("" : "+r"(index));
  return index;
}

TARGETS void Cells::Find(const float* x, int count, int32_t* rungs) const {
  alignas(64) float middle[kTile];
  const uint16_t* start = start_.data();
  // A copy, since the compiler cannot know that the rungs do not lie upon it.
  int stride = stride_;
  const float* t = thresholds_.data() + stride - 1;
  for (int i = 0; i < count; ++i) rungs[i] = CellOf(x[i]);
  for (int i = 0; i < count; ++i) {
    const int rung = Alone(start[rungs[i]]);
    rungs[i] = rung;
    middle[i] = t[rung];
  }
  // Behind the last threshold of its cell an element meets those of later cells, which lie above it.
  for (int i = 0; i < count; ++i) rungs[i] += x[i] > middle[i] ? stride : 0;
  for (stride /= 2; stride > 0; stride /= 2) {
    t = thresholds_.data() + stride - 1;
    for (int i = 0; i < count; ++i) middle[i] = t[Alone(rungs[i])];
    for (int i = 0; i < count; ++i) rungs[i] += x[i] > middle[i] ? stride : 0;
  }
}

TARGETS void Count(const float* x, int count, const float* thresholds, int size, int32_t* rungs) {
  for (int i = 0; i < count; i += kStride) {
    Ints below[kAtOnce] = {};
    for (int k = 0; k < size; ++k)
      for (int v = 0; v < kAtOnce; ++v) below[v] -= (Ints)(Load(x + i + v * kLanes) > All(thresholds[k]));
    for (int v = 0; v < kAtOnce; ++v) *reinterpret_cast<Ints*>(rungs + i + v * kLanes) = below[v];
  }
}

// Levels that lie in vectors of the processor, where the level of a rung is a permutation away.
constexpr int kLevelVectors = 32 / kLanes;
constexpr int kNearLevels = kLanes * kLevelVectors;

template <int kVectors>
struct NearLevels {
  NearLevels(const float* levels, int count) { std::memcpy(table, levels, count * sizeof(float)); }

  INLINE Floats Of(Ints rungs) const {
    Floats level = Permuted(table[0], rungs);
    for (int t = 1; t < kVectors; ++t) level = rungs < t * kLanes ? level : Permuted(table[t], rungs);
    return level;
  }

  Floats table[kVectors] = {};
};

// Calls body.template Run<kVectors>() with as many vectors as hold the levels.
template <typename Body>
INLINE void WithVectors(int levels, const Body& body) {
  levels <= kNearLevels / 4   ? body.template Run<kLevelVectors / 4>()
  : levels <= kNearLevels / 2 ? body.template Run<kLevelVectors / 2>()
                              : body.template Run<kLevelVectors>();
}

struct Climbing {
  const float* x;
  int count;
  const float* thresholds;
  int size;
  const float* levels;
  float* y;

  template <int kVectors>
  INLINE void Run() const {
    const NearLevels<kVectors> near(levels, size + 1);
    for (int i = 0; i < count; i += kStride) {
      Ints rung[kAtOnce] = {};
      for (int k = 0; k < size; ++k)
        for (int v = 0; v < kAtOnce; ++v) rung[v] -= (Ints)(Load(x + i + v * kLanes) > All(thresholds[k]));
      for (int v = 0; v < kAtOnce; ++v) Store(y + i + v * kLanes, near.Of(rung[v]));
    }
  }
};

// The levels of elements, of which there are at most kNearLevels.
TARGETS void Climb(const float* x, int count, const float* thresholds, int size, const float* levels, float* y) {
  WithVectors(size + 1, Climbing{x, count, thresholds, size, levels, y});
}

struct LookingUp {
  const float* levels;
  int size;
  const int32_t* rungs;
  int count;
  float* y;

  template <int kVectors>
  INLINE void Run() const {
    const NearLevels<kVectors> near(levels, size);
    for (int i = 0; i < count; i += kLanes) Store(y + i, near.Of(*reinterpret_cast<const Ints*>(rungs + i)));
  }
};

// The levels of rungs; `count` is that of whole strides.
TARGETS void LookUp(const float* levels, int size, const int32_t* rungs, int count, float* y) {
  if (size <= kNearLevels) return WithVectors(size, LookingUp{levels, size, rungs, count, y});
  for (int i = 0; i < count; ++i) y[i] = levels[Alone(rungs[i])];
}

// Up to so many thresholds are compared one by one, with whole vectors.
constexpr int kFew = 40;
// Up to so many are found in cells.
constexpr int kMost = std::numeric_limits<uint16_t>::max();

// Rungs of elements, by whichever way is quicker.
class Finder {
 public:
  Finder(const Ladder& ladder, int64_t elements) : ladder_(ladder) {
    if (ladder.size() > kFew && ladder.size() <= kMost && elements > 0) cells_.emplace(ladder, elements);
  }

  void Find(const float* x, int count, int32_t* rungs) const {
    if (cells_) return cells_->Find(x, count, rungs);
    Count(x, count, ladder_.thresholds.data(), ladder_.size(), rungs);
  }

  double Nanoseconds() const { return cells_ ? 1.5 : 0.04 * ladder_.size(); }

 private:
  const Ladder& ladder_;
  std::optional<Cells> cells_;
};

}  // namespace autoqnn
