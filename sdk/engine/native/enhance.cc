// Enhance: changes of colour and form of images [n, height, width, channels], each image by its own list of operations and
// values, as Pillow computes them on bytes. It runs in input pipelines, hence on the CPU alone.
#include <array>

#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "vectors.h"

namespace autoqnn {
namespace {

// As they are numbered in kernels/enhance.ts.
enum Operation {
  kIdentity, kBrightness, kContrast, kColor, kSharpness, kHue, kAutoContrast, kEqualize, kSolarize, kPosterize, kShearX, kShearY,
  kTranslateX, kTranslateY, kRotate
};

// Values come as whole numbers, in parts of this; so do Pillow's coordinates.
constexpr double kParts = 1 << 16;

uint8_t Clip(double value) { return static_cast<uint8_t>(std::min(255.0, std::max(0.0, value))); }

struct Image {
  std::vector<uint8_t> bytes;
  int64_t height, width, channels;

  int64_t size() const { return height * width; }
  uint8_t* pixel(int64_t i) { return bytes.data() + i * channels; }
  const uint8_t* pixel(int64_t i) const { return bytes.data() + i * channels; }

  int Grey(int64_t i) const {
    const uint8_t* p = pixel(i);
    return channels == 1 ? p[0] : (p[0] * 19595 + p[1] * 38470 + p[2] * 7471 + 0x8000) >> 16;
  }

  // Between (or beyond) `other` at 0 and this image at `share` = 1.
  template <typename Other>
  void Blend(float share, Other other) {
    for (int64_t i = 0; i < size(); ++i)
      for (int64_t c = 0; c < channels; ++c) {
        uint8_t& own = pixel(i)[c];
        const int from = other(i, c);
        own = Clip(static_cast<float>(from) + share * static_cast<float>(own - from));
      }
  }

  template <typename Function>
  void Look(Function function) {
    std::array<uint8_t, 256> table;
    for (int64_t c = 0; c < channels; ++c) {
      std::array<int64_t, 256> counts{};
      for (int64_t i = 0; i < size(); ++i) ++counts[pixel(i)[c]];
      function(counts, table);
      for (int64_t i = 0; i < size(); ++i) pixel(i)[c] = table[pixel(i)[c]];
    }
  }

  // The place of each pixel in the old image, by the centres of pixels: x' = a[0] x + a[1] y + a[2], y' = a[3] x + a[4] y + a[5].
  void Affine(const std::array<double, 6>& a) {
    const auto fixed = [](double value) { return static_cast<int64_t>(std::floor(value * kParts + 0.5)); };
    const std::vector<uint8_t> old = bytes;
    const int64_t right[2] = {fixed(a[0]), fixed(a[3])}, down[2] = {fixed(a[1]), fixed(a[4])};
    const int64_t start[2] = {fixed(a[2] + a[0] * 0.5 + a[1] * 0.5), fixed(a[5] + a[3] * 0.5 + a[4] * 0.5)};
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const int64_t column = (start[0] + x * right[0] + y * down[0]) >> 16;
        const int64_t row = (start[1] + x * right[1] + y * down[1]) >> 16;
        const bool inside = column >= 0 && column < width && row >= 0 && row < height;
        for (int64_t c = 0; c < channels; ++c)
          pixel(y * width + x)[c] = inside ? old[static_cast<size_t>((row * width + column) * channels + c)] : 0;
      }
  }
};

void Contrast(Image& image, float share) {
  int64_t sum = 0;
  for (int64_t i = 0; i < image.size(); ++i) sum += image.Grey(i);
  const int mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(image.size()) + 0.5);
  image.Blend(share, [&](int64_t, int64_t) { return mean; });
}

void Color(Image& image, float share) {
  std::vector<uint8_t> grey(static_cast<size_t>(image.size()));
  for (int64_t i = 0; i < image.size(); ++i) grey[static_cast<size_t>(i)] = static_cast<uint8_t>(image.Grey(i));
  image.Blend(share, [&](int64_t i, int64_t) { return grey[static_cast<size_t>(i)]; });
}

// Away from (or towards) the means of nine pixels, of which the middle one counts five times; the edge stays.
void Sharpness(Image& image, float share) {
  const Image old = image;
  image.Blend(share, [&](int64_t i, int64_t c) -> int {
    const int64_t row = i / old.width, column = i % old.width;
    if (row == 0 || column == 0 || row == old.height - 1 || column == old.width - 1) return old.pixel(i)[c];
    int sum = 4 * old.pixel(i)[c];
    for (int64_t y = -1; y <= 1; ++y)
      for (int64_t x = -1; x <= 1; ++x) sum += old.pixel(i + y * old.width + x)[c];
    return (2 * sum + 13) / 26;
  });
}

// Through the bytes of hue, saturation and value that Pillow has between.
void Turn(uint8_t* p, uint8_t turned) {
  const int r = p[0], g = p[1], b = p[2];
  const int most = std::max(r, std::max(g, b)), least = std::min(r, std::min(g, b));
  if (most == least) return;
  const float range = static_cast<float>(most - least);
  const float rc = static_cast<float>(most - r) / range, gc = static_cast<float>(most - g) / range,
              bc = static_cast<float>(most - b) / range;
  const float sixth = r == most ? bc - gc : static_cast<float>(g == most ? 2.0 + rc - bc : 4.0 + gc - rc);
  const float around = static_cast<float>(std::fmod(sixth / 6.0 + 1.0, 1.0));
  const auto hue = static_cast<uint8_t>(static_cast<uint8_t>(around * 255.0) + turned);
  const auto saturation = static_cast<uint8_t>(range / static_cast<float>(most) * 255.0);
  if (saturation == 0) {
    p[0] = p[1] = p[2] = static_cast<uint8_t>(most);
    return;
  }
  const int side = static_cast<int>(std::floor(hue * 6.0 / 255.0));
  const float f = static_cast<float>(hue * 6.0 / 255.0 - side), fs = static_cast<float>(saturation / 255.0);
  const auto part = [&](double share) { return static_cast<uint8_t>(Clip(std::round(most * (1.0 - share)))); };
  const uint8_t v = static_cast<uint8_t>(most), low = part(fs), falling = part(fs * f), rising = part(fs * (1.0 - f));
  const uint8_t sides[6][3] = {{v, rising, low}, {falling, v, low}, {low, v, rising},
                               {low, falling, v}, {rising, low, v}, {v, low, falling}};
  std::copy_n(sides[side % 6], 3, p);
}

void Stretch(const std::array<int64_t, 256>& counts, std::array<uint8_t, 256>& table) {
  int low = 0, high = 255;
  while (low < 255 && counts[static_cast<size_t>(low)] == 0) ++low;
  while (high > 0 && counts[static_cast<size_t>(high)] == 0) --high;
  const double scale = high <= low ? 1 : 255.0 / (high - low), offset = high <= low ? 0 : -low * scale;
  for (int i = 0; i < 256; ++i) table[static_cast<size_t>(i)] = Clip(i * scale + offset);
}

void Equalize(const std::array<int64_t, 256>& counts, std::array<uint8_t, 256>& table) {
  int64_t total = 0, last = 0, levels = 0;
  for (int64_t count : counts) {
    total += count;
    if (count > 0) last = count, ++levels;
  }
  const int64_t step = levels <= 1 ? 0 : (total - last) / 255;
  int64_t sum = step / 2;
  for (size_t i = 0; i < 256; ++i) {
    table[i] = step == 0 ? static_cast<uint8_t>(i) : static_cast<uint8_t>(std::min<int64_t>(255, sum / step));
    sum += counts[i];
  }
}

void Rotate(Image& image, double degrees) {
  const double angle = -degrees * 3.14159265358979323846 / 180;
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const double x = static_cast<double>(image.width) / 2, y = static_cast<double>(image.height) / 2;
  image.Affine({cosine, sine, x - cosine * x - sine * y, -sine, cosine, y + sine * x - cosine * y});
}

void Apply(Image& image, int operation, double value) {
  const auto share = static_cast<float>(value);
  switch (operation) {
    case kBrightness: return image.Blend(share, [](int64_t, int64_t) { return 0; });
    case kContrast: return Contrast(image, share);
    case kColor: return Color(image, share);
    case kSharpness: return Sharpness(image, share);
    case kHue:
      if (image.channels == 3)
        for (int64_t i = 0; i < image.size(); ++i) Turn(image.pixel(i), static_cast<uint8_t>(static_cast<int>(value * 255)));
      return;
    case kAutoContrast: return image.Look(Stretch);
    case kEqualize: return image.Look(Equalize);
    case kSolarize:
      for (uint8_t& byte : image.bytes) byte = byte < value ? byte : static_cast<uint8_t>(255 - byte);
      return;
    case kPosterize:
      for (uint8_t& byte : image.bytes) byte &= static_cast<uint8_t>(0xff << (8 - static_cast<int>(value)));
      return;
    case kShearX: return image.Affine({1, value, 0, 0, 1, 0});
    case kShearY: return image.Affine({1, 0, 0, value, 1, 0});
    case kTranslateX: return image.Affine({1, 0, -value, 0, 1, 0});
    case kTranslateY: return image.Affine({1, 0, 0, 0, 1, -value});
    case kRotate: return Rotate(image, value);
    default: return;
  }
}

class EnhanceOp : public OpKernel {
 public:
  using OpKernel::OpKernel;

  void Compute(OpKernelContext* context) override {
    const Tensor& images = context->input(0);
    const Tensor& lists = context->input(1);
    OP_REQUIRES(context, images.dims() == 4 && (images.dim_size(3) == 1 || images.dim_size(3) == 3) && lists.dims() == 3 &&
                             lists.dim_size(0) == images.dim_size(0) && lists.dim_size(2) == 2,
                absl::InvalidArgumentError("Expected images [n, height, width, 1 or 3] and operations [n, k, 2]."));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(0, images.shape(), &output));
    const int64_t height = images.dim_size(1), width = images.dim_size(2), channels = images.dim_size(3);
    const int64_t size = height * width * channels, length = lists.dim_size(1);
    const uint8_t* from = images.flat<uint8_t>().data();
    const int32_t* list = lists.flat<int32_t>().data();
    uint8_t* to = output->flat<uint8_t>().data();
    const auto& threads = *context->device()->tensorflow_cpu_worker_threads();
    threads.workers->ParallelFor(images.dim_size(0), 10 * size * length, [&](int64_t first, int64_t end) {
      for (int64_t n = first; n < end; ++n) {
        Image image{{from + n * size, from + (n + 1) * size}, height, width, channels};
        for (const int32_t* next = list + 2 * n * length; next < list + 2 * (n + 1) * length; next += 2)
          Apply(image, next[0], next[1] / kParts);
        std::copy(image.bytes.begin(), image.bytes.end(), to + n * size);
      }
    });
  }
};

REGISTER_OP("AutoqnnEnhance")
    .Input("images: uint8")
    .Input("operations: int32")
    .Output("enhanced: uint8")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_KERNEL_BUILDER(Name("AutoqnnEnhance").Device(tensorflow::DEVICE_CPU), EnhanceOp);

}  // namespace
}  // namespace autoqnn
