// Mixture: thresholds, steps and base of sum_i p_i Q_i, linear in the statistic vector and in the shares p.
#pragma once

#include "candidates.h"

namespace autoqnn {

class MixtureOp : public OpKernel {
 public:
  explicit MixtureOp(OpKernelConstruction* construction) : OpKernel(construction) {
    candidates_.Read(construction);
    OP_REQUIRES_OK(construction, construction->GetAttr("lowered", &lowered_));
    OP_REQUIRES_OK(construction, construction->GetAttr("within", &within_));
  }

  bool IsExpensive() override { return false; }

  void Compute(OpKernelContext* context) override {
    const int64_t thresholds = candidates_.thresholds(), candidates = candidates_.candidates();
    OP_REQUIRES(context, context->input(0).NumElements() == kStatistics,
                absl::InvalidArgumentError("Expected a statistic vector."));
    for (int i = 1; i < 3; ++i)
      OP_REQUIRES(context, context->input(i).NumElements() == candidates,
                  absl::InvalidArgumentError("Expected a share and a flag for each candidate."));
    const float* shares = context->input(1).flat<float>().data();
    const float* active = context->input(2).flat<float>().data();
    const std::vector<double> values = candidates_.At(context->input(0).flat<float>().data());
    Tensor* outputs[3];
    const TensorShape shapes[] = {TensorShape({thresholds}), TensorShape({thresholds}), TensorShape({})};
    for (int i = 0; i < 3; ++i) OP_REQUIRES_OK(context, context->allocate_output(i, shapes[i], &outputs[i]));
    float* t = outputs[0]->flat<float>().data();
    float* steps = outputs[1]->flat<float>().data();
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
      const int64_t owner = candidates_.owner(k);
      const bool open = active[owner] != 0;
      if (!open) t[k] = std::numeric_limits<float>::infinity();
      steps[k] = open ? static_cast<float>(values[thresholds + k]) * shares[owner] : 0;
    }
    double base = 0;
    for (int64_t i = 0; i < candidates; ++i)
      if (active[i] != 0) base += values[2 * thresholds + i] * shares[i];
    outputs[2]->flat<float>()(0) = static_cast<float>(base);
  }

 private:
  Candidates candidates_;
  std::vector<int64_t> lowered_, within_;
};

// The gradient by the shares: dp_i = base_i dbase + sum over its thresholds of jump_k dsteps_k.
class MixtureGradientOp : public OpKernel {
 public:
  explicit MixtureGradientOp(OpKernelConstruction* construction) : OpKernel(construction) {
    candidates_.Read(construction);
  }

  bool IsExpensive() override { return false; }

  void Compute(OpKernelContext* context) override {
    const int64_t thresholds = candidates_.thresholds(), candidates = candidates_.candidates();
    OP_REQUIRES(context,
                context->input(0).NumElements() == kStatistics && context->input(1).NumElements() == candidates &&
                    context->input(2).NumElements() == thresholds,
                absl::InvalidArgumentError("Expected a statistic vector, a flag for each candidate, and a gradient for "
                                           "each step."));
    const float* active = context->input(1).flat<float>().data();
    const float* dsteps = context->input(2).flat<float>().data();
    const float dbase = context->input(3).flat<float>()(0);
    const std::vector<double> values = candidates_.At(context->input(0).flat<float>().data());
    std::vector<double> sums(candidates);
    for (int64_t i = 0; i < candidates; ++i) sums[i] = values[2 * thresholds + i] * dbase;
    for (int64_t k = 0; k < thresholds; ++k) sums[candidates_.owner(k)] += values[thresholds + k] * dsteps[k];
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, TensorShape({candidates}), &output));
    float* dp = output->flat<float>().data();
    for (int64_t i = 0; i < candidates; ++i) dp[i] = active[i] != 0 ? static_cast<float>(sums[i]) : 0;
  }

 private:
  Candidates candidates_;
};

}  // namespace autoqnn
