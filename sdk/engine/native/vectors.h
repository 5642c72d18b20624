// Loops over a tensor in vectors, on TensorFlow's threads, with results that do not depend on either.
//
// A tensor is cut into fixed chunks; what the chunks sum up is added in their order. The loops are written with the
// compiler's vector extension; TARGETS compiles one for several processors, and the loader picks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "tensorflow/core/framework/op_kernel.h"

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__)
#define TARGETS __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
#else
#define TARGETS
#endif
#define INLINE inline __attribute__((always_inline))

// Vectors are passed only to functions that are inlined, so that no calling convention depends on the processor.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace autoqnn {

using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;

// No wider than a register: of wider vectors comparisons are compiled one number at a time.
#ifdef __x86_64__
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif
typedef float Floats __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

// Vectors that a loop takes at once, so that one does not wait for the other; their elements.
constexpr int kAtOnce = 4;
constexpr int kStride = kAtOnce * kLanes;

// Elements whose sums stay in float32 before they are added in float64; elements that one thread takes at a time.
constexpr int64_t kTile = 1024;
constexpr int64_t kChunk = 32 * kTile;
static_assert(kTile % kStride == 0);

INLINE Floats Load(const float* p) { return *reinterpret_cast<const Floats*>(p); }
INLINE void Store(float* p, Floats v) { *reinterpret_cast<Floats*>(p) = v; }
INLINE Floats All(float v) { return v - Floats{}; }
INLINE Floats If(Ints condition, Floats v) { return (Floats)(condition & (Ints)v); }
INLINE Floats Magnitude(Floats v) { return (Floats)((Ints)v & 0x7fffffff); }
// The elements of `v` at `places`, of which only the lowest bits count.
INLINE Floats Permuted(Floats v, Ints places) {
#ifdef __clang__
  Floats result;
  for (int lane = 0; lane < kLanes; ++lane) result[lane] = v[places[lane] & (kLanes - 1)];
  return result;
#else
  return __builtin_shuffle(v, places);
#endif
}
INLINE double Sum(const Floats (&vectors)[kAtOnce]) {
  double sum = 0;
  for (const Floats& v : vectors)
    for (int lane = 0; lane < kLanes; ++lane) sum += v[lane];
  return sum;
}

inline int64_t Chunks(int64_t size) { return (size + kChunk - 1) / kChunk; }

// Calls body(chunk, first element, number of elements), on TensorFlow's threads where there is more than one chunk.
template <typename Body>
void ForEachChunk(OpKernelContext* context, int64_t size, double nanoseconds, Body body) {
  const auto range = [&](int64_t from, int64_t to) {
    for (int64_t c = from; c < to; ++c) body(c, c * kChunk, std::min(kChunk, size - c * kChunk));
  };
  if (Chunks(size) <= 1) return range(0, Chunks(size));
  const auto cycles = static_cast<int64_t>(kChunk * nanoseconds * 3);
  context->device()->tensorflow_cpu_worker_threads()->workers->ParallelFor(Chunks(size), cycles, range);
}

// The number of elements, and as many more as complete the last stride.
INLINE int Completed(int64_t count) { return static_cast<int>((count + kStride - 1) / kStride * kStride); }

// The elements, or, where the last stride is incomplete, a copy that `filler` completes.
INLINE const float* Complete(const float* p, int64_t count, float* copy, float filler) {
  if (count % kStride == 0) return p;
  std::memcpy(copy, p, count * sizeof(float));
  std::fill(copy + count, copy + Completed(count), filler);
  return copy;
}

// Calls body(elements, completed count, first element, count) for the tiles of a chunk.
template <typename Body>
void ForEachTile(const float* x, int64_t first, int64_t count, float filler, Body body) {
  alignas(64) float copy[kTile];
  for (int64_t i = 0; i < count; i += kTile) {
    const int64_t n = std::min(kTile, count - i);
    body(Complete(x + first + i, n, copy, filler), Completed(n), first + i, n);
  }
}

}  // namespace autoqnn
