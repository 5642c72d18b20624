// Passes its inputs on as they are, unless the run was cancelled: then the run ends here.
#pragma once

#include "tensorflow/core/framework/op_kernel.h"

namespace autoqnn {

// TensorFlow's executor itself looks at cancellation only in loops, and where it waits for others.
class GateOp : public tensorflow::OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(tensorflow::OpKernelContext* context) override {
    auto* manager = context->cancellation_manager();
    if (manager != nullptr && manager->IsCancelled()) {
      context->SetStatus(absl::CancelledError("cancelled"));
      return;
    }
    for (int i = 0; i < context->num_inputs(); ++i) context->set_output(i, context->input(i));
  }
};

}  // namespace autoqnn
