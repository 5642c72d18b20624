// Adam: m' = beta1 m + (1 - beta1) g, v' = beta2 v + (1 - beta2) g^2, x' = x - rate m' / (sqrt(v') + epsilon).
#pragma once

#include "vectors.h"

namespace autoqnn {

struct AdamFactors {
  // The gains are 1 - beta, which in float32 is not what it is in JavaScript.
  float beta1, gain1, beta2, gain2, epsilon, rate;
};

// In float32 and in this order, as the expression in kernels/adam.ts.
TARGETS void Update(const AdamFactors& factors, const float* x, const float* g, const float* m, const float* v,
                    int64_t count, float* __restrict__ next_x, float* __restrict__ next_m, float* __restrict__ next_v) {
  // Copies, since the compiler cannot know that the outputs do not lie upon the factors.
  const auto [beta1, gain1, beta2, gain2, epsilon, rate] = factors;
  for (int64_t i = 0; i < count; ++i) {
    const float first = m[i] * beta1 + g[i] * gain1;
    const float second = v[i] * beta2 + g[i] * g[i] * gain2;
    next_m[i] = first;
    next_v[i] = second;
    next_x[i] = x[i] - first / (std::sqrt(second) + epsilon) * rate;
  }
}

class AdamOp : public OpKernel {
 public:
  explicit AdamOp(OpKernelConstruction* construction) : OpKernel(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("beta1", &factors_.beta1));
    OP_REQUIRES_OK(construction, construction->GetAttr("gain1", &factors_.gain1));
    OP_REQUIRES_OK(construction, construction->GetAttr("beta2", &factors_.beta2));
    OP_REQUIRES_OK(construction, construction->GetAttr("gain2", &factors_.gain2));
    OP_REQUIRES_OK(construction, construction->GetAttr("epsilon", &factors_.epsilon));
  }

  void Compute(OpKernelContext* context) override {
    const Tensor& input = context->input(0);
    const float* in[4];
    float* out[3];
    for (int i = 0; i < 4; ++i) {
      OP_REQUIRES(context, context->input(i).shape() == input.shape(),
                  absl::InvalidArgumentError("Expected a gradient and moments of the shape of x."));
      in[i] = context->input(i).flat<float>().data();
    }
    for (int i = 0; i < 3; ++i) {
      Tensor* output = nullptr;
      OP_REQUIRES_OK(context, context->allocate_output(i, input.shape(), &output));
      out[i] = output->flat<float>().data();
    }
    AdamFactors factors = factors_;
    factors.rate = context->input(4).flat<float>()(0);
    ForEachChunk(context, input.NumElements(), 1.5, [&](int64_t, int64_t first, int64_t count) {
      Update(factors, in[0] + first, in[1] + first, in[2] + first, in[3] + first, count, out[0] + first, out[1] + first,
             out[2] + first);
    });
  }

 private:
  AdamFactors factors_ = {};
};

}  // namespace autoqnn
