// The kernels for NVIDIA GPUs, compiled for the GPU at hand when the first of them is needed (cuda.cc), launched by gpu.cc.
//
// Sums do not depend on which block comes first: a block leaves what it added up, in double, and a later kernel adds the
// blocks in their order. How many blocks there are follows from the size of a tensor alone.

#define KERNEL extern "C" __global__ void

typedef long long Index;

constexpr int kThreads = 256;
constexpr int kGradientThreads = 128;
#define INFINITE __int_as_float(0x7f800000)
#define NOT_A_NUMBER __int_as_float(0x7fc00000)

// As candidates.h has them.
enum Statistic { kOne, kAbsMean, kTernaryMean, kDeviation, kRectifiedRms, kMinimum, kMaximum, kAbsMaximum, kResidual2 };
constexpr int kStatistics = 12;

struct Add {
  __device__ double operator()(double a, double b) const { return a + b; }
};
struct Least {
  __device__ double operator()(double a, double b) const { return b < a ? b : a; }
};
struct Most {
  __device__ double operator()(double a, double b) const { return b > a ? b : a; }
};

// The numbers of a block's threads joined pairwise; `shared` has room for one of each.
template <typename Join>
__device__ double Joined(double own, double* shared, Join join) {
  shared[threadIdx.x] = own;
  __syncthreads();
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half]);
    __syncthreads();
  }
  const double all = shared[0];
  __syncthreads();
  return all;
}

// What the blocks left in one row of `parts`, joined.
template <typename Join>
__device__ double Row(const double* parts, int row, int blocks, double first, double* shared, Join join) {
  double own = first;
  for (int block = threadIdx.x; block < blocks; block += blockDim.x) own = join(own, parts[row * blocks + block]);
  return Joined(own, shared, join);
}

__device__ Index First() { return static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ Index Stride() { return static_cast<Index>(gridDim.x) * blockDim.x; }

// Statistics, first pass: sums of x, of its squares and magnitudes; its extremes.
KERNEL moments(const float* x, Index size, double* parts) {
  __shared__ double shared[kThreads];
  double sum = 0, squares = 0, magnitudes = 0, least = INFINITE, most = -INFINITE;
  for (Index i = First(); i < size; i += Stride()) {
    const double value = x[i];
    sum += value;
    squares += value * value;
    magnitudes += fabs(value);
    least = Least()(least, value);
    most = Most()(most, value);
  }
  const double all[] = {Joined(sum, shared, Add()), Joined(squares, shared, Add()), Joined(magnitudes, shared, Add()),
                        Joined(least, shared, Least()), Joined(most, shared, Most())};
  if (threadIdx.x < 5) parts[threadIdx.x * gridDim.x + blockIdx.x] = all[threadIdx.x];
}

KERNEL moments_end(const double* parts, int blocks, Index size, float* out, float* mean) {
  __shared__ double shared[kThreads];
  const double sum = Row(parts, 0, blocks, 0, shared, Add()), squares = Row(parts, 1, blocks, 0, shared, Add()),
               magnitudes = Row(parts, 2, blocks, 0, shared, Add());
  float least = static_cast<float>(Row(parts, 3, blocks, INFINITE, shared, Least())),
        most = static_cast<float>(Row(parts, 4, blocks, -INFINITE, shared, Most()));
  if (threadIdx.x > 0) return;
  const double n = static_cast<double>(size);
  if (sum != sum) least = most = NOT_A_NUMBER;
  for (int i = 0; i < kStatistics; ++i) out[i] = 0;
  out[kOne] = 1;
  out[kAbsMean] = static_cast<float>(magnitudes / n);
  out[kRectifiedRms] = static_cast<float>(sqrt(2 * squares / n));
  out[kMinimum] = least;
  out[kMaximum] = most;
  out[kAbsMaximum] = -least < most ? most : -least;
  *mean = static_cast<float>(sum / n);
}

// Statistics, second pass: about the means, as in statistics.h.
KERNEL spread(const float* x, Index size, const float* out, const float* mean, double* parts) {
  __shared__ double shared[kThreads];
  const float center = *mean, abs_mean = out[kAbsMean], half = static_cast<float>(0.7 * abs_mean);
  double sum = 0, squares = 0, kept = 0, number = 0, remainders = 0;
  for (Index i = First(); i < size; i += Stride()) {
    const float distance = x[i] - center, magnitude = fabsf(x[i]);
    sum += distance;
    squares += static_cast<double>(distance) * distance;
    if (magnitude > half) kept += magnitude, number += 1;
    // sign(0) = 0: what is met exactly stays met.
    if (magnitude > 0) remainders += fabsf(magnitude - abs_mean);
  }
  const double all[] = {Joined(sum, shared, Add()), Joined(squares, shared, Add()), Joined(kept, shared, Add()),
                        Joined(number, shared, Add()), Joined(remainders, shared, Add())};
  if (threadIdx.x < 5) parts[threadIdx.x * gridDim.x + blockIdx.x] = all[threadIdx.x];
}

KERNEL spread_end(const double* parts, int blocks, Index size, float* out) {
  __shared__ double shared[kThreads];
  double sums[5];
  for (int row = 0; row < 5; ++row) sums[row] = Row(parts, row, blocks, 0, shared, Add());
  if (threadIdx.x > 0) return;
  const double n = static_cast<double>(size), squares = sums[1] - sums[0] * sums[0] / n;
  out[kDeviation] = squares < 0 ? 0 : static_cast<float>(sqrt(squares / (n > 2 ? n - 1 : 1)));
  out[kTernaryMean] = sums[3] == 0 ? 0 : static_cast<float>(sums[2] / sums[3]);
  out[kResidual2] = static_cast<float>(sums[4] / n);
}

// Statistics, later passes: the mean of abs r_i after `steps` steps, the scale of the next.
KERNEL remainders(const float* x, Index size, const float* out, int steps, double* parts) {
  __shared__ double shared[kThreads];
  double sum = 0;
  for (Index i = First(); i < size; i += Stride()) {
    float magnitude = fabsf(x[i]);
    for (int step = 0; step < steps; ++step)
      magnitude = magnitude > 0 ? fabsf(magnitude - out[step == 0 ? kAbsMean : kResidual2 + step - 1]) : 0;
    sum += magnitude;
  }
  sum = Joined(sum, shared, Add());
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

KERNEL remainders_end(const double* parts, int blocks, Index size, int steps, float* out) {
  __shared__ double shared[kThreads];
  const double sum = Row(parts, 0, blocks, 0, shared, Add());
  if (threadIdx.x == 0) out[kResidual2 + steps - 1] = static_cast<float>(sum / static_cast<double>(size));
}

// The matrices of candidates.h by rows: those of the thresholds, of the jumps of level, of each candidate's lowest level.
struct Matrices {
  const double* weights;
  const int *places, *ends, *owner;
  int thresholds, candidates;
};

__device__ double At(const Matrices& table, int row, const float* statistics) {
  double value = 0;
  for (int i = row == 0 ? 0 : table.ends[row - 1]; i < table.ends[row]; ++i) {
    const int place = table.places[i];
    float statistic = statistics[place];
    // 2^floor(log2 x) by the exponent bits alone.
    if (place == kAbsMaximum) statistic = __int_as_float(__float_as_int(statistic) & 0x7f800000);
    value += table.weights[i] * statistic;
  }
  return value;
}

// One block. `lowered` and `within` as in mixture.h.
KERNEL mixture(Matrices table, const int* lowered, const int* within, int bounded, const float* statistics,
               const float* shares, const float* active, float* t, float* steps, float* base) {
  for (int k = threadIdx.x; k < table.thresholds; k += blockDim.x) {
    const int owner = table.owner[k];
    // Of many candidates most may be closed.
    if (active[owner] == 0) {
      t[k] = INFINITE;
      steps[k] = 0;
      continue;
    }
    float value = static_cast<float>(At(table, k, statistics));
    if (lowered[k]) value -= fmaxf(fabsf(value) * (1.25f / (1 << 24)), 0x1p-100f);
    t[k] = value;
    steps[k] = static_cast<float>(At(table, table.thresholds + k, statistics)) * shares[owner];
  }
  __syncthreads();
  if (threadIdx.x > 0) return;
  // In their order: a bound may itself be bounded. Both bounds are of the same candidate, so what is infinite stays so.
  for (int i = 0; i < bounded; i += 3) {
    float value = t[within[i]];
    if (within[i + 2] >= 0) value = fminf(value, t[within[i + 2]]);
    if (within[i + 1] >= 0) value = fmaxf(value, t[within[i + 1]]);
    t[within[i]] = value;
  }
  double sum = 0;
  for (int i = 0; i < table.candidates; ++i)
    if (active[i] != 0) sum += At(table, 2 * table.thresholds + i, statistics) * shares[i];
  *base = static_cast<float>(sum);
}

// A block for each candidate.
KERNEL mixture_gradient(Matrices table, const float* statistics, const float* active, const float* dsteps,
                        const float* dbase, float* dshares) {
  __shared__ double shared[kThreads];
  const int candidate = blockIdx.x;
  const bool open = active[candidate] != 0;
  double sum = 0;
  for (int k = threadIdx.x; open && k < table.thresholds; k += blockDim.x)
    if (table.owner[k] == candidate) sum += At(table, table.thresholds + k, statistics) * dsteps[k];
  sum = Joined(sum, shared, Add());
  if (threadIdx.x > 0) return;
  if (open) sum += At(table, 2 * table.thresholds + candidate, statistics) * *dbase;
  dshares[candidate] = static_cast<float>(sum);
}

// A staircase to be sorted: scaled thresholds in ascending order and how many of them are finite, the levels between them, and
// each threshold's place.
struct Ladder {
  const float *thresholds, *steps, *base, *scale;
  int count;
  // Whether levels are scaled like thresholds.
  int leveled;
  float *sorted, *levels;
  int *places, *finite;
};

__device__ float Scaled(const Ladder& ladder, int k) {
  const float t = ladder.thresholds[k];
  // Infinite ones and NaN are passed by none.
  return t < INFINITE ? t * *ladder.scale : INFINITE;
}

// A block for each ladder.
KERNEL ladders(Ladder first, Ladder second, int room) {
  extern __shared__ float memory[];
  __shared__ double shared[kThreads];
  const Ladder& ladder = blockIdx.x == 0 ? first : second;
  const int count = ladder.count;
  double finite = 0;
  for (int k = threadIdx.x; k < count; k += blockDim.x) {
    const float own = Scaled(ladder, k);
    if (room) memory[k] = own;
    if (own < INFINITE) finite += 1;
  }
  finite = Joined(finite, shared, Add());
  if (threadIdx.x == 0) *ladder.finite = static_cast<int>(finite);
  for (int k = threadIdx.x; k < count; k += blockDim.x) {
    const float own = room ? memory[k] : Scaled(ladder, k);
    int place = 0;
    for (int j = 0; j < count; ++j) {
      const float other = room ? memory[j] : Scaled(ladder, j);
      if (other < own || (other == own && j < k)) ++place;
    }
    ladder.places[k] = place;
    ladder.sorted[place] = own;
    // For the moment the step before each level.
    ladder.levels[place + 1] = ladder.steps[k];
  }
  __syncthreads();
  // Each thread adds up levels that follow one another, on top of what the threads before it added.
  const int each = (count + blockDim.x - 1) / blockDim.x, begin = 1 + threadIdx.x * each,
            end = min(begin + each, count + 1);
  double own = 0;
  for (int rung = begin; rung < end; ++rung) own += ladder.levels[rung];
  shared[threadIdx.x] = own;
  __syncthreads();
  double level = *ladder.base;
  for (int thread = 0; thread < threadIdx.x; ++thread) level += shared[thread];
  const float factor = ladder.leveled ? *ladder.scale : 1;
  for (int rung = begin; rung < end; ++rung) {
    level += ladder.levels[rung];
    ladder.levels[rung] = static_cast<float>(level) * factor;
  }
  if (threadIdx.x == 0) ladder.levels[0] = *ladder.base * factor;
}

// How many of `count` ascending thresholds lie below x; `half` is the highest power of two that is not above `count`.
__device__ int Rung(float x, const float* thresholds, int count, int half) {
  int rung = 0;
  for (int step = half; step > 0; step /= 2)
    if (rung + step <= count && x > thresholds[rung + step - 1]) rung += step;
  return rung;
}

__device__ int HighestPower(int count) {
  int power = 1;
  while (2 * power <= count) power *= 2;
  return count == 0 ? 0 : power;
}

// `values` in the block's own memory, from `shared` on, which is moved behind them; where they are where there is no room.
__device__ const float* Near(const float* values, int count, bool room, float** shared) {
  if (!room) return values;
  float* near = *shared;
  for (int i = threadIdx.x; i < count; i += blockDim.x) near[i] = values[i];
  *shared += count;
  return near;
}

KERNEL staircase(const float* x, Index size, const float* sorted, const float* levels, const int* finite, int room,
                 float* y) {
  extern __shared__ float memory[];
  float* free = memory;
  const int count = *finite;
  const float* thresholds = Near(sorted, count, room, &free);
  const float* heights = Near(levels, count + 1, room, &free);
  __syncthreads();
  const int half = HighestPower(count);
  for (Index i = First(); i < size; i += Stride()) y[i] = heights[Rung(x[i], thresholds, count, half)];
}

// dx, and for each rung what dy adds up to upon it. The rungs are parted among the rows of the grid, `width` to each; the
// first row makes dx. Row r of `parts` belongs to rung r, the one behind all `rungs` to the sum of dx x.
KERNEL staircase_gradient(const float* x, const float* dy, Index size, const float* sorted, const int* finite, int rungs,
                          const float* mask_sorted, const float* mask_levels, const int* mask_finite, int room,
                          int width, float* dx, double* parts) {
  extern __shared__ float memory[];
  __shared__ double shared[kGradientThreads];
  const int count = *finite, masks = *mask_finite, first = blockIdx.y * width, own = min(width, rungs - first);
  if (first > count) {
    for (int rung = threadIdx.x; rung < own; rung += blockDim.x) parts[(first + rung) * gridDim.x + blockIdx.x] = 0;
    return;
  }
  float* free = memory + width * blockDim.x;
  const float* thresholds = Near(sorted, count, room, &free);
  const float* edges = Near(mask_sorted, masks, room, &free);
  const float* shares = Near(mask_levels, masks + 1, room, &free);
  for (int rung = 0; rung < own; ++rung) memory[rung * blockDim.x + threadIdx.x] = 0;
  __syncthreads();
  const int half = HighestPower(count), mask_half = HighestPower(masks);
  double passed = 0;
  for (Index i = First(); i < size; i += Stride()) {
    const float value = x[i], gradient = dy[i];
    const int rung = Rung(value, thresholds, count, half) - first;
    if (0 <= rung && rung < own) memory[rung * blockDim.x + threadIdx.x] += gradient;
    if (blockIdx.y == 0) {
      const float through = gradient * shares[Rung(value, edges, masks, mask_half)];
      dx[i] = through;
      passed += static_cast<double>(through) * value;
    }
  }
  __syncthreads();
  for (int rung = threadIdx.x; rung < own; rung += blockDim.x) {
    double sum = 0;
    // Each begins at another thread's sum, so that no two read from one bank at once.
    for (int i = 0; i < blockDim.x; ++i) sum += memory[rung * blockDim.x + (i + threadIdx.x) % blockDim.x];
    parts[(first + rung) * gridDim.x + blockIdx.x] = sum;
  }
  if (blockIdx.y > 0) return;
  passed = Joined(passed, shared, Add());
  if (threadIdx.x == 0) parts[rungs * gridDim.x + blockIdx.x] = passed;
}

// A block for each row.
KERNEL rows(const double* parts, int blocks, double* sums) {
  __shared__ double shared[kThreads];
  const double sum = Row(parts, blockIdx.x, blocks, 0, shared, Add());
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// One block. The gradients by steps, base and scale, of the sums of `rows`.
KERNEL staircase_gradient_end(const double* sums, const int* places, const int* finite, const float* steps, int count,
                              const float* base, const float* scale, float* dsteps, float* dbase, float* dscale) {
  __shared__ double shared[kThreads];
  const int last = *finite;
  double stepped = 0, total = 0;
  for (int rung = threadIdx.x; rung <= last; rung += blockDim.x) total += sums[rung];
  for (int k = threadIdx.x; k < count; k += blockDim.x) {
    double above = 0;
    for (int rung = places[k] + 1; rung <= last; ++rung) above += sums[rung];
    dsteps[k] = static_cast<float>(above * *scale);
    stepped += above * steps[k];
  }
  total = Joined(total, shared, Add());
  stepped = Joined(stepped, shared, Add());
  if (threadIdx.x > 0) return;
  *dbase = static_cast<float>(total * *scale);
  *dscale = static_cast<float>(stepped + *base * total - sums[count + 1] / *scale);
}

// In float32 and in this order, as adam.h.
KERNEL adam(const float* x, const float* g, const float* m, const float* v, const float* rate, Index size, float beta1,
            float gain1, float beta2, float gain2, float epsilon, float* next_x, float* next_m, float* next_v) {
  for (Index i = First(); i < size; i += Stride()) {
    const float first = m[i] * beta1 + g[i] * gain1;
    const float second = v[i] * beta2 + g[i] * g[i] * gain2;
    next_m[i] = first;
    next_v[i] = second;
    next_x[i] = x[i] - first / (sqrtf(second) + epsilon) * *rate;
  }
}
