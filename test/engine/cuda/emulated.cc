// The kernels for GPUs on a processor: this addon stands in the place of cuda.cc, and registers gpu.cc's operations for the
// CPU, before those that are its own.
//
// The threads of a block take turns as fibers, from one __syncthreads to the next; blocks follow one another.
#include <node_api.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cuda.h"

// Of two kernels for one device TensorFlow takes that of the higher priority.
#define DEVICE_GPU DEVICE_CPU).Priority(1
#include "gpu.cc"
#undef DEVICE_GPU

namespace device {

struct Place {
  unsigned x, y;
};
thread_local Place threadIdx, blockIdx, blockDim, gridDim;
// The block's own memory, whose size the launch says.
thread_local std::vector<float> dynamic_memory;
thread_local ucontext_t scheduler;
thread_local std::vector<ucontext_t> fibers;

void __syncthreads() { swapcontext(&fibers[threadIdx.x], &scheduler); }
float __int_as_float(int bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
int __float_as_int(float value) {
  int bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
using std::min;

#define __global__
#define __device__
#define __shared__ static thread_local
// cuda/kernels.cu, with `memory` at the beginning of `dynamic_memory`.
#include "kernels-for-hosts.cu"

struct Kernel {
  void (*enter)(const void* kernel, void** arguments);
  const void* kernel;
};

template <typename... Arguments, size_t... index>
void Enter(void (*kernel)(Arguments...), void** arguments, std::index_sequence<index...>) {
  kernel(*static_cast<Arguments*>(arguments[index])...);
}

template <typename... Arguments>
Kernel Of(void (*kernel)(Arguments...)) {
  return {[](const void* kernel, void** arguments) {
            Enter(reinterpret_cast<void (*)(Arguments...)>(const_cast<void*>(kernel)), arguments,
                  std::index_sequence_for<Arguments...>());
          },
          reinterpret_cast<const void*>(kernel)};
}

#define KERNEL_NAMED(name) {#name, Of(name)}
const std::map<std::string, Kernel> kernels = {
    KERNEL_NAMED(moments),    KERNEL_NAMED(moments_end),        KERNEL_NAMED(spread),
    KERNEL_NAMED(spread_end), KERNEL_NAMED(remainders),         KERNEL_NAMED(remainders_end),
    KERNEL_NAMED(mixture),    KERNEL_NAMED(mixture_gradient),   KERNEL_NAMED(ladders),
    KERNEL_NAMED(staircase),  KERNEL_NAMED(staircase_gradient), KERNEL_NAMED(rows),
    KERNEL_NAMED(staircase_gradient_end),                       KERNEL_NAMED(adam),
};

thread_local const Kernel* running;
thread_local void** given;
thread_local unsigned ended;

void Fiber() {
  running->enter(running->kernel, given);
  ++ended;
}

void Block(unsigned threads) {
  constexpr size_t kStack = 32 * 1024;
  thread_local std::vector<char> stacks;
  stacks.resize(threads * kStack);
  fibers.assign(threads, {});
  std::vector<unsigned> waiting;
  for (unsigned i = 0; i < threads; ++i) {
    getcontext(&fibers[i]);
    fibers[i].uc_stack.ss_sp = stacks.data() + i * kStack;
    fibers[i].uc_stack.ss_size = kStack;
    fibers[i].uc_link = &scheduler;
    makecontext(&fibers[i], Fiber, 0);
    waiting.push_back(i);
  }
  while (!waiting.empty()) {
    std::vector<unsigned> next;
    for (unsigned i : waiting) {
      threadIdx = {i, 0};
      const unsigned before = ended;
      swapcontext(&scheduler, &fibers[i]);
      if (ended == before) next.push_back(i);
    }
    waiting = std::move(next);
  }
}

}  // namespace device

std::mutex mutex;
std::set<std::string> launched;

namespace autoqnn {

absl::Status LaunchKernel(tensorflow::OpKernelContext*, const char* kernel, const Extent& extent, void** arguments) {
  using namespace device;
  {
    std::lock_guard<std::mutex> lock(mutex);
    launched.insert(kernel);
  }
  running = &kernels.at(kernel);
  given = arguments;
  blockDim = {extent.threads, 1};
  gridDim = {extent.blocks, extent.rows};
  dynamic_memory.assign(extent.memory / sizeof(float) + 1, std::nanf(""));
  for (unsigned row = 0; row < extent.rows; ++row) {
    for (unsigned block = 0; block < extent.blocks; ++block) {
      blockIdx = {block, row};
      Block(extent.threads);
    }
  }
  return absl::OkStatus();
}

absl::Status Upload(tensorflow::OpKernelContext*, const void* from, size_t bytes, void* to) {
  std::memcpy(to, from, bytes);
  return absl::OkStatus();
}

}  // namespace autoqnn

// The names of the kernels that were launched, a space behind each.
NAPI_MODULE_INIT() {
  napi_value names;
  napi_create_function(
      env, nullptr, 0,
      [](napi_env env, napi_callback_info) {
        std::lock_guard<std::mutex> lock(mutex);
        std::string all;
        for (const std::string& name : launched) all += name + " ";
        napi_value result;
        napi_create_string_utf8(env, all.data(), all.size(), &result);
        return result;
      },
      nullptr, &names);
  return names;
}
