// Move: bytes of images [n, height, width, channels] to numbers from 0 to 1, each image flipped and shifted as three numbers
// say (flipped, rows down, columns right); what a shift uncovers is 0. It runs in input pipelines, hence on the CPU alone.
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "vectors.h"

namespace autoqnn {
namespace {

struct Size {
  int64_t height, width, channels;
  int64_t row() const { return width * channels; }
  int64_t image() const { return height * row(); }
};

TARGETS void Scale(const uint8_t* from, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]) / 255.0f;
}

// For a number of channels that is known here, 0 for any other.
template <int64_t kChannels>
void Mirror(const uint8_t* from, int64_t pixels, int64_t channels, uint8_t* to) {
  const int64_t length = kChannels == 0 ? channels : kChannels;
  for (int64_t i = pixels; i-- > 0; to += length)
    for (int64_t c = 0; c < length; ++c) to[c] = from[i * length + c];
}

void MoveImage(const uint8_t* image, const Size& size, const int32_t* move, float* to) {
  const bool flipped = move[0] != 0;
  const int64_t down = move[1], right = move[2];
  const int64_t first = std::min(std::max<int64_t>(0, right), size.width);
  const int64_t end = std::max(first, std::min(size.width, size.width + right));
  const auto mirror = size.channels == 1 ? Mirror<1> : size.channels == 3 ? Mirror<3> : Mirror<0>;
  std::vector<uint8_t> mirrored(static_cast<size_t>(flipped ? size.row() : 0));
  for (int64_t row = 0; row < size.height; ++row) {
    float* target = to + row * size.row();
    const int64_t source = row - down;
    const bool inside = source >= 0 && source < size.height && first < end;
    const int64_t from = inside ? first : size.width;
    std::fill(target, target + from * size.channels, 0.0f);
    if (!inside) continue;
    std::fill(target + end * size.channels, target + size.row(), 0.0f);
    // Columns `first` to `end` of the target show columns `first - right` to `end - right` of the (mirrored) image.
    const int64_t column = flipped ? size.width - (end - right) : first - right;
    const uint8_t* pixels = image + source * size.row() + column * size.channels;
    target += first * size.channels;
    if (flipped) mirror(pixels, end - first, size.channels, mirrored.data());
    Scale(flipped ? mirrored.data() : pixels, (end - first) * size.channels, target);
  }
}

class MoveOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& images = context->input(0);
    const Tensor& moves = context->input(1);
    OP_REQUIRES(context, images.dims() == 4 && moves.dims() == 2 && moves.dim_size(1) == 3 &&
                             moves.dim_size(0) == images.dim_size(0),
                absl::InvalidArgumentError("Expected images [n, height, width, channels] and moves [n, 3]."));
    const Size size{images.dim_size(1), images.dim_size(2), images.dim_size(3)};
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, images.shape(), &output));
    const uint8_t* from = images.flat<uint8_t>().data();
    const int32_t* move = moves.flat<int32_t>().data();
    float* to = output->flat<float>().data();
    const auto& threads = *context->device()->tensorflow_cpu_worker_threads();
    threads.workers->ParallelFor(images.dim_size(0), size.image(), [&](int64_t first, int64_t end) {
      for (int64_t n = first; n < end; ++n)
        MoveImage(from + n * size.image(), size, move + 3 * n, to + n * size.image());
    });
  }
};

REGISTER_OP("AutoqnnMove")
    .Input("images: uint8")
    .Input("moves: int32")
    .Output("moved: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_KERNEL_BUILDER(Name("AutoqnnMove").Device(tensorflow::DEVICE_CPU), MoveOp);

}  // namespace
}  // namespace autoqnn
