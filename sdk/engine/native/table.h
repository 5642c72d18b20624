// Table: thresholds, jumps and bases of several candidates, linear in the statistic vector (kernels/table.ts).
#pragma once

#include "statistics.h"

namespace autoqnn {

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

}  // namespace autoqnn
