// View: a JPEG or PNG file to the bytes of one window of its image, brought to a size. Of a JPEG only the window is decoded,
// and already made smaller by the decoder where the window is more than twice the size. It runs in input pipelines, hence on
// the CPU alone.
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/jpeg/jpeg_mem.h"
#include "tensorflow/core/lib/png/png_io.h"
#include "vectors.h"

namespace autoqnn {
namespace {

struct Size {
  int64_t height, width, channels;
};

struct Window {
  double top, left, height, width;
};

// Fractions come as whole numbers, in parts of this.
constexpr double kOne = 1 << 24;
// Proportions are at most a few: parts of this.
constexpr double kRatio = 1 << 16;

// The window that `numbers` say in an image of `rows` x `columns`:
// [share > 0, ratio, down, right]: of this share of the area, of `ratio` times the target's proportions, cut where it is longer
// than the image, and moved by these fractions of the room that is left;
// [share <= 0, ...]: the largest of the target's proportions, its sides shrunk by -share, in the middle.
Window WindowOf(const int32_t* numbers, double rows, double columns, const Size& target) {
  const double proportions = static_cast<double>(target.width) / static_cast<double>(target.height);
  const double share = numbers[0] / kOne;
  if (share <= 0) {
    const double height = -share * std::min(rows, columns / proportions);
    const double width = height * proportions;
    return {(rows - height) / 2, (columns - width) / 2, height, width};
  }
  const double ratio = proportions * numbers[1] / kRatio;
  const double area = share * rows * columns;
  const double height = std::min(rows, std::max(1.0, std::round(std::sqrt(area / ratio))));
  const double width = std::min(columns, std::max(1.0, std::round(std::sqrt(area * ratio))));
  return {std::floor(numbers[2] / kOne * (rows - height + 1)), std::floor(numbers[3] / kOne * (columns - width + 1)), height,
          width};
}

// For each of `count` places along an axis: the first of the positions that it is a mean of, and their weights. Bilinear; where
// the window is longer than `count`, over as many positions as fall upon one place, so that nothing is skipped.
struct Taps {
  std::vector<int64_t> first;
  std::vector<std::vector<float>> weights;

  Taps(double start, double length, int64_t count, int64_t positions) {
    const double scale = length / static_cast<double>(count), reach = std::max(1.0, scale);
    for (int64_t i = 0; i < count; ++i) {
      const double center = start + (static_cast<double>(i) + 0.5) * scale;
      const auto low = std::max<int64_t>(0, static_cast<int64_t>(std::floor(center - reach)));
      const auto high = std::min<int64_t>(positions, static_cast<int64_t>(std::ceil(center + reach)));
      std::vector<float> own;
      double sum = 0;
      for (int64_t p = low; p < high; ++p) {
        const double weight = std::max(0.0, 1 - std::abs(static_cast<double>(p) + 0.5 - center) / reach);
        own.push_back(static_cast<float>(weight));
        sum += weight;
      }
      for (float& weight : own) weight = static_cast<float>(weight / sum);
      first.push_back(low);
      weights.push_back(std::move(own));
    }
  }
};

TARGETS void AddScaled(const float* from, float weight, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += weight * from[i];
}

TARGETS void ToBytes(const float* from, int64_t count, uint8_t* to) {
  for (int64_t i = 0; i < count; ++i) to[i] = static_cast<uint8_t>(std::min(255.0f, std::max(0.0f, from[i] + 0.5f)));
}

// One row of the source, made `target.width` pixels wide.
void Narrow(const uint8_t* row, const Taps& across, const Size& target, float* to) {
  const int64_t channels = target.channels;
  for (int64_t x = 0; x < target.width; ++x) {
    const std::vector<float>& weights = across.weights[static_cast<size_t>(x)];
    const uint8_t* pixel = row + across.first[static_cast<size_t>(x)] * channels;
    float sums[4] = {0, 0, 0, 0};
    for (float weight : weights)
      for (int64_t c = 0; c < channels; ++c) sums[c] += weight * static_cast<float>(*pixel++);
    for (int64_t c = 0; c < channels; ++c) *to++ = sums[c];
  }
}

void Resize(const std::vector<uint8_t>& source, const Size& size, const Window& window, const Size& target, uint8_t* to) {
  const Taps across(window.left, window.width, target.width, size.width);
  const Taps down(window.top, window.height, target.height, size.height);
  const int64_t length = target.width * target.channels;
  const int64_t first = down.first.front(), end = down.first.back() + static_cast<int64_t>(down.weights.back().size());
  std::vector<float> narrow(static_cast<size_t>((end - first) * length)), row(static_cast<size_t>(length));
  for (int64_t y = first; y < end; ++y)
    Narrow(source.data() + y * size.width * size.channels, across, target, narrow.data() + (y - first) * length);
  for (int64_t y = 0; y < target.height; ++y) {
    std::fill(row.begin(), row.end(), 0.0f);
    const std::vector<float>& weights = down.weights[static_cast<size_t>(y)];
    const float* from = narrow.data() + (down.first[static_cast<size_t>(y)] - first) * length;
    for (float weight : weights) {
      AddScaled(from, weight, length, row.data());
      from += length;
    }
    ToBytes(row.data(), length, to + y * length);
  }
}

class ViewOp : public OpKernel {
 public:
  explicit ViewOp(OpKernelConstruction* context) : OpKernel(context) {
    OP_REQUIRES_OK(context, context->GetAttr("height", &target_.height));
    OP_REQUIRES_OK(context, context->GetAttr("width", &target_.width));
    OP_REQUIRES_OK(context, context->GetAttr("channels", &target_.channels));
    OP_REQUIRES(context, target_.channels == 1 || target_.channels == 3,
                absl::InvalidArgumentError("Expected 1 or 3 channels."));
  }

  void Compute(OpKernelContext* context) override {
    const tensorflow::tstring& file = context->input(0).scalar<tensorflow::tstring>()();
    const Tensor& numbers = context->input(1);
    OP_REQUIRES(context, numbers.NumElements() == 4, absl::InvalidArgumentError("Expected four numbers of a window."));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context,
                   context->allocate_output(0, TensorShape({target_.height, target_.width, target_.channels}), &output));
    const int32_t* window = numbers.flat<int32_t>().data();
    uint8_t* to = output->flat<uint8_t>().data();
    const bool jpeg = file.size() > 2 && std::memcmp(file.data(), "\xff\xd8\xff", 3) == 0;
    const bool png = file.size() > 7 && std::memcmp(file.data(), "\x89PNG\r\n\x1a\n", 8) == 0;
    OP_REQUIRES(context, jpeg || png, absl::InvalidArgumentError("Expected a JPEG or PNG image."));
    OP_REQUIRES(context, jpeg ? Jpeg(file, window, to) : Png(file, window, to),
                absl::InvalidArgumentError("Expected an undamaged image."));
  }

 private:
  // The decoder makes the image 2, 4 or 8 times smaller at little cost: as long as the window stays longer than the target.
  bool Jpeg(const tensorflow::tstring& file, const int32_t* numbers, uint8_t* to) const {
    const int length = static_cast<int>(file.size());
    int width = 0, height = 0;
    if (!tensorflow::jpeg::GetImageInfo(file.data(), length, &width, &height, nullptr)) return false;
    Window window = WindowOf(numbers, height, width, target_);
    tensorflow::jpeg::UncompressFlags flags;
    flags.components = static_cast<int>(target_.channels);
    flags.dct_method = JDCT_ISLOW;
    while (flags.ratio < 8 && window.height >= 4.0 * flags.ratio * static_cast<double>(target_.height) &&
           window.width >= 4.0 * flags.ratio * static_cast<double>(target_.width))
      flags.ratio *= 2;
    const double ratio = flags.ratio;
    window = {window.top / ratio, window.left / ratio, window.height / ratio, window.width / ratio};
    const int rows = (height + flags.ratio - 1) / flags.ratio, columns = (width + flags.ratio - 1) / flags.ratio;
    flags.crop = true;
    flags.crop_y = std::max(0, static_cast<int>(std::floor(window.top)) - 1);
    flags.crop_x = std::max(0, static_cast<int>(std::floor(window.left)) - 1);
    flags.crop_height = std::min(rows, static_cast<int>(std::ceil(window.top + window.height)) + 1) - flags.crop_y;
    flags.crop_width = std::min(columns, static_cast<int>(std::ceil(window.left + window.width)) + 1) - flags.crop_x;
    std::vector<uint8_t> pixels;
    Size size{0, 0, target_.channels};
    const uint8_t* decoded =
        tensorflow::jpeg::Uncompress(file.data(), length, flags, nullptr, [&](int wide, int high, int channels) -> uint8_t* {
          size = {high, wide, channels};
          pixels.resize(static_cast<size_t>(wide) * static_cast<size_t>(high) * static_cast<size_t>(channels));
          return pixels.data();
        });
    if (decoded == nullptr || size.channels != target_.channels) return false;
    Resize(pixels, size, {window.top - flags.crop_y, window.left - flags.crop_x, window.height, window.width}, target_, to);
    return true;
  }

  bool Png(const tensorflow::tstring& file, const int32_t* numbers, uint8_t* to) const {
    tensorflow::png::DecodeContext decoder;
    const absl::string_view bytes(file.data(), file.size());
    if (!tensorflow::png::CommonInitDecode(bytes, static_cast<int>(target_.channels), 8, &decoder)) return false;
    const Size size{decoder.height, decoder.width, target_.channels};
    const int64_t row = size.width * size.channels;
    std::vector<uint8_t> pixels(static_cast<size_t>(size.height * row));
    if (!tensorflow::png::CommonFinishDecode(pixels.data(), static_cast<int>(row), &decoder)) return false;
    const Window window = WindowOf(numbers, static_cast<double>(size.height), static_cast<double>(size.width), target_);
    Resize(pixels, size, window, target_, to);
    return true;
  }

  Size target_{0, 0, 0};
};

REGISTER_OP("AutoqnnView")
    .Input("file: string")
    .Input("window: int32")
    .Output("image: uint8")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("channels: int >= 1")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      int64_t height, width, channels;
      TF_RETURN_IF_ERROR(context->GetAttr("height", &height));
      TF_RETURN_IF_ERROR(context->GetAttr("width", &width));
      TF_RETURN_IF_ERROR(context->GetAttr("channels", &channels));
      context->set_output(0, context->MakeShape({height, width, channels}));
      return absl::OkStatus();
    });
REGISTER_KERNEL_BUILDER(Name("AutoqnnView").Device(tensorflow::DEVICE_CPU), ViewOp);

}  // namespace
}  // namespace autoqnn
