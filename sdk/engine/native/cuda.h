// Launching the kernels of cuda/kernels.cu on the stream of an operation.
#pragma once

#include "tensorflow/core/framework/op_kernel.h"

namespace autoqnn {

struct Extent {
  unsigned blocks, threads;
  // Rows of the grid.
  unsigned rows = 1;
  // Bytes of a block's own memory whose size the kernel does not know.
  unsigned memory = 0;
};

// Compiles all kernels when the first is launched. `arguments` are pointers to values of the kernel's own types, in its order.
absl::Status LaunchKernel(tensorflow::OpKernelContext* context, const char* kernel, const Extent& extent, void** arguments);

template <typename... Arguments>
absl::Status Launch(tensorflow::OpKernelContext* context, const char* kernel, const Extent& extent,
                    Arguments... arguments) {
  void* list[] = {&arguments...};
  return LaunchKernel(context, kernel, extent, list);
}

// Copies bytes of the host to the GPU, after what the stream already has to do.
absl::Status Upload(tensorflow::OpKernelContext* context, const void* from, size_t bytes, void* to);

}  // namespace autoqnn
