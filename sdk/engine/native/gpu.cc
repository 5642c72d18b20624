// The project's kernels for NVIDIA GPUs: what they launch of cuda/kernels.cu, and the memory in between.
#include "candidates.h"
#include "cuda.h"

namespace {

using autoqnn::Extent;
using autoqnn::kStatistics;
using autoqnn::Launch;
using tensorflow::OpKernel;
using tensorflow::OpKernelConstruction;
using tensorflow::OpKernelContext;
using tensorflow::Tensor;
using tensorflow::TensorShape;
using Index = long long;

// As cuda/kernels.cu has them.
constexpr unsigned kThreads = 256, kGradientThreads = 128;
// Sums are left by so many blocks at most, and a thread takes so many elements where they are fewer.
constexpr int64_t kMostBlocks = 1024, kElements = 8;
// So many rungs a block sums up at most, so that several blocks find room beside one another.
constexpr int64_t kWidest = 48;
// Bytes of its own memory that every GPU grants a block.
constexpr int64_t kMemory = 48 * 1024;

Extent Over(int64_t size, unsigned threads = kThreads) {
  const int64_t each = threads * kElements, blocks = (size + each - 1) / each;
  return {static_cast<unsigned>(std::clamp<int64_t>(blocks, 1, kMostBlocks)), threads};
}

const Extent kOneBlock = {1, kThreads};

const float* In(OpKernelContext* context, int index) { return context->input(index).flat<float>().data(); }

absl::Status Out(OpKernelContext* context, int index, const TensorShape& shape, float** out) {
  Tensor* output = nullptr;
  TF_RETURN_IF_ERROR(context->allocate_output(index, shape, &output));
  *out = output->flat<float>().data();
  return absl::OkStatus();
}

absl::Status Expect(bool holds, const char* what) {
  return holds ? absl::OkStatus() : absl::InvalidArgumentError(std::string("Expected ") + what);
}

// Memory of the GPU that an operation needs while it runs.
class Scratch {
 public:
  explicit Scratch(OpKernelContext* context) : context_(context) {}

  template <typename Number>
  absl::Status Take(int64_t count, Number** memory) {
    Tensor tensor;
    const int64_t bytes = std::max<int64_t>(1, count) * static_cast<int64_t>(sizeof(Number));
    TF_RETURN_IF_ERROR(context_->allocate_temp(tensorflow::DT_INT8, TensorShape({bytes}), &tensor));
    *memory = reinterpret_cast<Number*>(tensor.data());
    kept_.push_back(std::move(tensor));
    return absl::OkStatus();
  }

 private:
  OpKernelContext* context_;
  std::vector<Tensor> kept_;
};

class GpuOp : public OpKernel {
 public:
  using OpKernel::OpKernel;
  // Launching takes no longer than passing the work to another thread.
  bool IsExpensive() override { return false; }
  void Compute(OpKernelContext* context) final { OP_REQUIRES_OK(context, Run(context)); }

 protected:
  virtual absl::Status Run(OpKernelContext* context) = 0;
};

class StatisticsOp : public GpuOp {
 public:
  explicit StatisticsOp(OpKernelConstruction* construction) : GpuOp(construction) {
    OP_REQUIRES_OK(construction, construction->GetAttr("only", &only_));
  }

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const Index size = context->input(0).NumElements();
    TF_RETURN_IF_ERROR(Expect(size > 0, "at least one value to measure, received none."));
    const float* x = In(context, 0);
    float *out, *mean;
    double* parts;
    Scratch scratch(context);
    const Extent over = Over(size);
    const int blocks = static_cast<int>(over.blocks);
    TF_RETURN_IF_ERROR(Out(context, 0, TensorShape({kStatistics}), &out));
    TF_RETURN_IF_ERROR(scratch.Take(1, &mean));
    TF_RETURN_IF_ERROR(scratch.Take(5 * blocks, &parts));
    TF_RETURN_IF_ERROR(Launch(context, "moments", over, x, size, parts));
    TF_RETURN_IF_ERROR(Launch(context, "moments_end", kOneBlock, parts, blocks, size, out, mean));
    int steps = autoqnn::kResidualSteps - 1;
    while (steps > 0 && !Needs(autoqnn::kResidual2 + steps - 1)) --steps;
    if (!Needs(autoqnn::kDeviation) && !Needs(autoqnn::kTernaryMean) && steps == 0) return absl::OkStatus();
    TF_RETURN_IF_ERROR(Launch(context, "spread", over, x, size, out, mean, parts));
    TF_RETURN_IF_ERROR(Launch(context, "spread_end", kOneBlock, parts, blocks, size, out));
    for (int i = 2; i <= steps; ++i) {
      TF_RETURN_IF_ERROR(Launch(context, "remainders", over, x, size, out, i, parts));
      TF_RETURN_IF_ERROR(Launch(context, "remainders_end", kOneBlock, parts, blocks, size, i, out));
    }
    return absl::OkStatus();
  }

 private:
  bool Needs(int statistic) const { return (only_ >> statistic) & 1; }

  int64_t only_ = 0;
};

// As cuda/kernels.cu has it.
struct Matrices {
  const double* weights;
  const int *places, *ends, *owner;
  int thresholds, candidates;
};

// An operation on candidates, whose matrices are copied to the GPU once.
class CandidatesOp : public GpuOp {
 public:
  explicit CandidatesOp(OpKernelConstruction* construction) : GpuOp(construction) { candidates_.Read(construction); }

 protected:
  // The matrices on the GPU, and behind them `further` numbers.
  absl::Status OnDevice(OpKernelContext* context, const std::vector<int64_t>& further, Matrices* matrices,
                        const int** numbers) {
    const auto& entries = candidates_.entries();
    const int64_t rows = candidates_.rows(), thresholds = candidates_.thresholds();
    const size_t weights = entries.size() * sizeof(double);
    std::lock_guard<std::mutex> lock(mutex_);
    if (!copied_) {
      std::vector<double> values;
      std::vector<int> whole;
      for (const auto& entry : entries) values.push_back(entry.weight);
      for (const auto& entry : entries) whole.push_back(static_cast<int>(entry.place));
      size_t end = 0;
      for (int64_t row = 0; row < rows; ++row) {
        while (end < entries.size() && entries[end].row <= static_cast<size_t>(row)) ++end;
        whole.push_back(static_cast<int>(end));
      }
      for (int64_t k = 0; k < thresholds; ++k) whole.push_back(static_cast<int>(candidates_.owner(k)));
      whole.insert(whole.end(), further.begin(), further.end());
      const size_t bytes = weights + whole.size() * sizeof(int);
      TF_RETURN_IF_ERROR(context->allocate_temp(tensorflow::DT_INT8, TensorShape({static_cast<int64_t>(bytes)}), &device_));
      char* memory = reinterpret_cast<char*>(device_.data());
      TF_RETURN_IF_ERROR(autoqnn::Upload(context, values.data(), weights, memory));
      TF_RETURN_IF_ERROR(autoqnn::Upload(context, whole.data(), whole.size() * sizeof(int), memory + weights));
      copied_ = true;
    }
    const char* memory = reinterpret_cast<const char*>(device_.data());
    const int* places = reinterpret_cast<const int*>(memory + weights);
    const int *ends = places + entries.size(), *owner = ends + rows;
    *matrices = {reinterpret_cast<const double*>(memory),  places,
                 ends,                                      owner,
                 static_cast<int>(thresholds),              static_cast<int>(candidates_.candidates())};
    *numbers = owner + thresholds;
    return absl::OkStatus();
  }

  autoqnn::Candidates candidates_;

 private:
  std::mutex mutex_;
  bool copied_ = false;
  Tensor device_;
};

class MixtureOp : public CandidatesOp {
 public:
  explicit MixtureOp(OpKernelConstruction* construction) : CandidatesOp(construction) {
    std::vector<int64_t> within;
    OP_REQUIRES_OK(construction, construction->GetAttr("lowered", &further_));
    OP_REQUIRES_OK(construction, construction->GetAttr("within", &within));
    bounded_ = static_cast<int>(within.size());
    further_.insert(further_.end(), within.begin(), within.end());
  }

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const int64_t thresholds = candidates_.thresholds(), candidates = candidates_.candidates();
    TF_RETURN_IF_ERROR(Expect(context->input(0).NumElements() == kStatistics, "a statistic vector."));
    for (int i = 1; i < 3; ++i)
      TF_RETURN_IF_ERROR(
          Expect(context->input(i).NumElements() == candidates, "a share and a flag for each candidate."));
    Matrices matrices;
    const int* lowered;
    TF_RETURN_IF_ERROR(OnDevice(context, further_, &matrices, &lowered));
    const int* within = lowered + thresholds;
    float *t, *steps, *base;
    TF_RETURN_IF_ERROR(Out(context, 0, TensorShape({thresholds}), &t));
    TF_RETURN_IF_ERROR(Out(context, 1, TensorShape({thresholds}), &steps));
    TF_RETURN_IF_ERROR(Out(context, 2, TensorShape({}), &base));
    return Launch(context, "mixture", kOneBlock, matrices, lowered, within, bounded_, In(context, 0), In(context, 1),
                  In(context, 2), t, steps, base);
  }

 private:
  std::vector<int64_t> further_;
  int bounded_ = 0;
};

class MixtureGradientOp : public CandidatesOp {
 public:
  using CandidatesOp::CandidatesOp;

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const int64_t thresholds = candidates_.thresholds(), candidates = candidates_.candidates();
    TF_RETURN_IF_ERROR(Expect(
        context->input(0).NumElements() == kStatistics && context->input(1).NumElements() == candidates &&
            context->input(2).NumElements() == thresholds,
        "a statistic vector, a flag for each candidate, and a gradient for each step."));
    Matrices matrices;
    const int* none;
    TF_RETURN_IF_ERROR(OnDevice(context, {}, &matrices, &none));
    float* dshares;
    TF_RETURN_IF_ERROR(Out(context, 0, TensorShape({candidates}), &dshares));
    if (candidates == 0) return absl::OkStatus();
    return Launch(context, "mixture_gradient", {static_cast<unsigned>(candidates), kThreads}, matrices, In(context, 0), In(context, 1), In(context, 2),
                  In(context, 3), dshares);
  }
};

// As cuda/kernels.cu has it.
struct Ladder {
  const float *thresholds, *steps, *base, *scale;
  int count, leveled;
  float *sorted, *levels;
  int *places, *finite;
};

// The ladder of the thresholds, steps and base at input `first` and behind it, and memory for it.
absl::Status LadderAt(OpKernelContext* context, int first, int scale, bool leveled, Scratch* scratch, Ladder* ladder) {
  const int64_t count = context->input(first).NumElements();
  TF_RETURN_IF_ERROR(Expect(context->input(first + 1).NumElements() == count, "one step for each threshold."));
  *ladder = {};
  ladder->thresholds = In(context, first), ladder->steps = In(context, first + 1);
  ladder->base = In(context, first + 2), ladder->scale = In(context, scale);
  ladder->count = static_cast<int>(count), ladder->leveled = leveled;
  TF_RETURN_IF_ERROR(scratch->Take(count, &ladder->sorted));
  TF_RETURN_IF_ERROR(scratch->Take(count + 1, &ladder->levels));
  TF_RETURN_IF_ERROR(scratch->Take(count, &ladder->places));
  return scratch->Take(1, &ladder->finite);
}

absl::Status Sort(OpKernelContext* context, const Ladder& first, const Ladder* second) {
  const int64_t most = std::max(first.count, second ? second->count : 0);
  const int64_t bytes = most * static_cast<int64_t>(sizeof(float));
  const int room = bytes <= kMemory / 2;
  const Extent extent = {second ? 2u : 1u, kThreads, 1, room ? static_cast<unsigned>(bytes) : 0};
  return Launch(context, "ladders", extent, first, second ? *second : first, room);
}

class StaircaseOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const Index size = context->input(0).NumElements();
    Scratch scratch(context);
    Ladder ladder;
    TF_RETURN_IF_ERROR(LadderAt(context, 1, 4, true, &scratch, &ladder));
    float* y;
    TF_RETURN_IF_ERROR(Out(context, 0, context->input(0).shape(), &y));
    if (size == 0) return absl::OkStatus();
    TF_RETURN_IF_ERROR(Sort(context, ladder, nullptr));
    const int64_t bytes = (2 * ladder.count + 1) * static_cast<int64_t>(sizeof(float));
    const int room = bytes <= kMemory;
    Extent over = Over(size);
    over.memory = room ? static_cast<unsigned>(bytes) : 0;
    return Launch(context, "staircase", over, In(context, 0), size, ladder.sorted, ladder.levels, ladder.finite, room, y);
  }
};

class StaircaseGradientOp : public GpuOp {
 public:
  using GpuOp::GpuOp;

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const Index size = context->input(0).NumElements();
    TF_RETURN_IF_ERROR(Expect(context->input(1).NumElements() == size, "a gradient of the shape of x."));
    Scratch scratch(context);
    Ladder ladder, mask;
    TF_RETURN_IF_ERROR(LadderAt(context, 2, 5, false, &scratch, &ladder));
    TF_RETURN_IF_ERROR(LadderAt(context, 6, 5, false, &scratch, &mask));
    const int rungs = ladder.count + 1;

    // The block's memory: sums of each thread for as many rungs as fit, behind the thresholds, where those leave any room.
    const int64_t sum = kGradientThreads * sizeof(float);
    const int64_t reduced = kGradientThreads * sizeof(double);
    const int64_t thresholds = (ladder.count + 2 * mask.count + 1) * static_cast<int64_t>(sizeof(float));
    const int room = thresholds <= kMemory / 2;
    const int width = static_cast<int>(
        std::min<int64_t>({rungs, kWidest, (kMemory - reduced - (room ? thresholds : 0)) / sum}));
    Extent over = Over(size, kGradientThreads);
    over.rows = static_cast<unsigned>((rungs + width - 1) / width);
    over.memory = static_cast<unsigned>(width * sum + (room ? thresholds : 0));
    const int blocks = static_cast<int>(over.blocks);

    Tensor* output = nullptr;
    float *dsteps, *dbase, *dscale;
    // In the place of dy where it is read by those alone who write there.
    if (over.rows == 1) {
      TF_RETURN_IF_ERROR(context->forward_input_or_allocate_output({1}, 0, context->input(0).shape(), &output));
    } else {
      TF_RETURN_IF_ERROR(context->allocate_output(0, context->input(0).shape(), &output));
    }
    TF_RETURN_IF_ERROR(Out(context, 1, context->input(3).shape(), &dsteps));
    TF_RETURN_IF_ERROR(Out(context, 2, context->input(4).shape(), &dbase));
    TF_RETURN_IF_ERROR(Out(context, 3, context->input(5).shape(), &dscale));
    double *parts, *sums;
    TF_RETURN_IF_ERROR(scratch.Take(static_cast<int64_t>(rungs + 1) * blocks, &parts));
    TF_RETURN_IF_ERROR(scratch.Take(rungs + 1, &sums));

    TF_RETURN_IF_ERROR(Sort(context, ladder, &mask));
    TF_RETURN_IF_ERROR(Launch(context, "staircase_gradient", over, In(context, 0), In(context, 1), size, ladder.sorted,
                              ladder.finite, rungs, mask.sorted, mask.levels, mask.finite, room, width,
                              output->flat<float>().data(), parts));
    TF_RETURN_IF_ERROR(Launch(context, "rows", {static_cast<unsigned>(rungs + 1), kThreads}, parts, blocks, sums));
    return Launch(context, "staircase_gradient_end", kOneBlock, sums, ladder.places, ladder.finite, ladder.steps,
                  ladder.count, ladder.base, ladder.scale, dsteps, dbase, dscale);
  }
};

class AdamOp : public GpuOp {
 public:
  explicit AdamOp(OpKernelConstruction* construction) : GpuOp(construction) {
    const char* names[] = {"beta1", "gain1", "beta2", "gain2", "epsilon"};
    for (int i = 0; i < 5; ++i) OP_REQUIRES_OK(construction, construction->GetAttr(names[i], &factors_[i]));
  }

 protected:
  absl::Status Run(OpKernelContext* context) override {
    const TensorShape& shape = context->input(0).shape();
    const Index size = shape.num_elements();
    for (int i = 1; i < 4; ++i)
      TF_RETURN_IF_ERROR(Expect(context->input(i).shape() == shape, "a gradient and moments of the shape of x."));
    float* out[3];
    for (int i = 0; i < 3; ++i) TF_RETURN_IF_ERROR(Out(context, i, shape, &out[i]));
    if (size == 0) return absl::OkStatus();
    return Launch(context, "adam", Over(size), In(context, 0), In(context, 1), In(context, 2), In(context, 3),
                  In(context, 4), size, factors_[0], factors_[1], factors_[2], factors_[3], factors_[4], out[0], out[1],
                  out[2]);
  }

 private:
  float factors_[5] = {};
};

REGISTER_KERNEL_BUILDER(Name("AutoqnnStatistics").Device(tensorflow::DEVICE_GPU), StatisticsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnMixture").Device(tensorflow::DEVICE_GPU), MixtureOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnMixtureGradient").Device(tensorflow::DEVICE_GPU), MixtureGradientOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircase").Device(tensorflow::DEVICE_GPU), StaircaseOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircaseGradient").Device(tensorflow::DEVICE_GPU), StaircaseGradientOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnAdam").Device(tensorflow::DEVICE_GPU), AdamOp);

}  // namespace
