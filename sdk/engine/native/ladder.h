// Ladders: the ascending thresholds of a staircase, and how many of them lie below an element.
#pragma once

#include <optional>
#include <utility>

#include "vectors.h"

namespace autoqnn {

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

TARGETS void Count(const float* x, int count, const float* thresholds, int size, int32_t* rungs) {
  for (int i = 0; i < count; i += kStride) {
    Ints below[kAtOnce] = {};
    for (int k = 0; k < size; ++k)
      for (int v = 0; v < kAtOnce; ++v) below[v] -= (Ints)(Load(x + i + v * kLanes) > All(thresholds[k]));
    for (int v = 0; v < kAtOnce; ++v) *reinterpret_cast<Ints*>(rungs + i + v * kLanes) = below[v];
  }
}

// Up to so many thresholds are compared one by one, with whole vectors.
constexpr int kFew = 40;

// Rungs of elements, by whichever way is quicker.
class Finder {
 public:
  Finder(const Ladder& ladder, int64_t elements) : ladder_(ladder) {
    if (ladder.size() <= kFew || elements < 8192) return;
    cells_.emplace(ladder);
    if (!cells_->Useful()) cells_.reset();
  }

  void Find(const float* x, int count, int32_t* rungs) const {
    if (cells_) return cells_->Find(x, count, rungs);
    Count(x, count, ladder_.thresholds.data(), ladder_.size(), rungs);
  }

  double Nanoseconds() const { return cells_ ? 1.2 : 0.04 * ladder_.size(); }

 private:
  const Ladder& ladder_;
  std::optional<Cells> cells_;
};

}  // namespace autoqnn
