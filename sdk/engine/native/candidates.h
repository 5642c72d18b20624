// The statistic vector, and the matrices by which thresholds and levels follow from it.
#pragma once

#include "vectors.h"

namespace autoqnn {

// In the order of statistics.ts.
enum Statistic { kOne, kAbsMean, kTernaryMean, kDeviation, kRectifiedRms, kMinimum, kMaximum, kAbsMaximum, kResidual2 };
constexpr int kStatistics = 12;
constexpr int kResidualSteps = 5;

// The constant matrices of several candidates (kernels/mixture.ts), as attributes of an operation.
class Candidates {
 public:
  // Of the matrices one below the other: thresholds, jumps, bases. Rows ascend from entry to entry.
  struct Entry {
    size_t row, place;
    double weight;
  };

  void Read(OpKernelConstruction* construction) {
    std::vector<int64_t> places;
    std::vector<float> weights;
    OP_REQUIRES_OK(construction, construction->GetAttr("owner", &owner_));
    OP_REQUIRES_OK(construction, construction->GetAttr("candidates", &candidates_));
    OP_REQUIRES_OK(construction, construction->GetAttr("places", &places));
    OP_REQUIRES_OK(construction, construction->GetAttr("weights", &weights));
    const int64_t size = kStatistics * rows();
    OP_REQUIRES(construction, places.size() == weights.size(),
                absl::InvalidArgumentError("Expected a weight for each place of the matrices."));
    for (size_t i = 0; i < places.size(); ++i) {
      OP_REQUIRES(construction, 0 <= places[i] && places[i] < size,
                  absl::InvalidArgumentError("Expected places within the matrices."));
      const auto place = static_cast<size_t>(places[i]);
      entries_.push_back({place / kStatistics, place % kStatistics, weights[i]});
    }
  }

  int64_t thresholds() const { return static_cast<int64_t>(owner_.size()); }
  int64_t candidates() const { return candidates_; }
  int64_t owner(int64_t threshold) const { return owner_[threshold]; }
  int64_t rows() const { return 2 * thresholds() + candidates_; }
  const std::vector<Entry>& entries() const { return entries_; }

  // The thresholds, the jumps of level there and each candidate's lowest level, at a raw statistic vector.
  std::vector<double> At(const float* statistics) const {
    double derived[kStatistics];
    std::copy(statistics, statistics + kStatistics, derived);
    derived[kAbsMaximum] = PowerOfTwo(statistics[kAbsMaximum]);
    std::vector<double> values(rows(), 0.0);
    for (const Entry& entry : entries_) values[entry.row] += entry.weight * derived[entry.place];
    return values;
  }

 private:
  // 2^floor(log2 x) by the exponent bits alone; logarithms are not exact at powers of two.
  static float PowerOfTwo(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits &= 0x7f800000;
    std::memcpy(&x, &bits, sizeof bits);
    return x;
  }

  int64_t candidates_ = 0;
  std::vector<Entry> entries_;
  std::vector<int64_t> owner_;
};

}  // namespace autoqnn
