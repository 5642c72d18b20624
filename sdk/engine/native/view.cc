// View: a JPEG or PNG file to the bytes of one window of its image, brought to a size as Pillow does it. Of a JPEG only the
// window is decoded, and already made smaller by the decoder where the window is more than four times the size. It runs in
// input pipelines, hence on the CPU alone.
#include <memory>

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

// Pixels of a block of a JPEG file at most, where colours have half the resolution.
constexpr int64_t kMostBlock = 16;

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

// Weights are whole numbers in parts of this, as in Pillow, whose bytes these are: 8 bits of a byte, 22 bits, and no overflow.
constexpr int kBits = 22;
constexpr int32_t kHalf = 1 << (kBits - 1);

// For each of `count` places along an axis: the first of the positions that it is a mean of, and their weights. Bilinear; where
// the window is longer than `count`, over as many positions as fall upon one place, so that nothing is skipped.
struct Taps {
  struct Place {
    int64_t first;
    int count;
    const int32_t* weights;
  };
  std::vector<Place> places;
  int64_t first, end;

  Taps(double from, double length, int64_t count, int64_t positions) {
    // Pillow keeps a window's ends in float32.
    const float start = static_cast<float>(from), stop = static_cast<float>(from + length);
    const double scale = static_cast<double>(stop - start) / static_cast<double>(count), reach = std::max(1.0, scale);
    const auto most = static_cast<size_t>(2 * std::ceil(reach) + 1);
    weights_.resize(static_cast<size_t>(count) * most);
    places.reserve(static_cast<size_t>(count));
    std::vector<double> shares(most);
    int32_t* weight = weights_.data();
    for (int64_t i = 0; i < count; ++i, weight += most) {
      const double center = start + (static_cast<double>(i) + 0.5) * scale;
      const auto low = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5));
      const auto high = std::min<int64_t>(positions, static_cast<int64_t>(center + reach + 0.5));
      double sum = 0;
      for (int64_t p = low; p < high; ++p) {
        const double share = std::max(0.0, 1 - std::abs((static_cast<double>(p) - center + 0.5) * (1 / reach)));
        shares[static_cast<size_t>(p - low)] = share;
        sum += share;
      }
      for (int64_t p = 0; p < high - low; ++p)
        weight[p] = static_cast<int32_t>(0.5 + shares[static_cast<size_t>(p)] / sum * (1 << kBits));
      places.push_back({low, static_cast<int>(high - low), weight});
    }
    first = places.front().first;
    end = places.back().first + places.back().count;
  }

 private:
  std::vector<int32_t> weights_;
};

// Four bytes are read and written for a pixel of three: one behind the last must be there.
constexpr int64_t kBehind = 1;

INLINE Ints* InInts(int32_t* p) { return reinterpret_cast<Ints*>(p); }

// Rows of pixels of three bytes, each made as many pixels wide as `across` has places. As many rows at a time as a vector has
// lanes, a row in each lane.
TARGETS void NarrowColours(const uint8_t* from, int64_t stride, int64_t rows, const Taps& across, uint8_t* to, int64_t to_stride) {
  const int64_t columns = across.end - across.first, places = static_cast<int64_t>(across.places.size());
  std::vector<int32_t> words(static_cast<size_t>(std::max(columns, places) * kLanes));
  std::vector<int32_t> colours(static_cast<size_t>(3 * columns * kLanes));
  for (int64_t y = 0; y < rows; y += kLanes, from += kLanes * stride, to += kLanes * to_stride) {
    const int64_t lanes = std::min<int64_t>(kLanes, rows - y);
    for (int64_t lane = 0; lane < lanes; ++lane)
      for (int64_t x = 0; x < columns; ++x) std::memcpy(&words[x * kLanes + lane], from + lane * stride + 3 * x, 4);
    for (int64_t x = 0; x < columns; ++x) {
      for (int c = 0; c < 3; ++c) InInts(&colours[(3 * x + c) * kLanes])[0] = InInts(&words[x * kLanes])[0] >> (8 * c) & 0xff;
    }
    for (int64_t x = 0; x < places; ++x) {
      const Taps::Place& place = across.places[x];
      const Ints* colour = InInts(&colours[3 * (place.first - across.first) * kLanes]);
      Ints red = kHalf - Ints{}, green = red, blue = red;
      for (int t = 0; t < place.count; ++t, colour += 3) {
        red += place.weights[t] * colour[0];
        green += place.weights[t] * colour[1];
        blue += place.weights[t] * colour[2];
      }
      InInts(&words[x * kLanes])[0] = red >> kBits | green >> kBits << 8 | blue >> kBits << 16;
    }
    for (int64_t lane = 0; lane < lanes; ++lane)
      for (int64_t x = 0; x < places; ++x) std::memcpy(to + lane * to_stride + 3 * x, &words[x * kLanes + lane], 4);
  }
}

TARGETS void NarrowGrey(const uint8_t* from, int64_t stride, int64_t rows, const Taps& across, uint8_t* to, int64_t to_stride) {
  for (int64_t y = 0; y < rows; ++y, from += stride, to += to_stride)
    for (size_t x = 0; x < across.places.size(); ++x) {
      const Taps::Place& place = across.places[x];
      const uint8_t* pixel = from + (place.first - across.first);
      int32_t sum = kHalf;
      for (int t = 0; t < place.count; ++t) sum += place.weights[t] * pixel[t];
      to[x] = static_cast<uint8_t>(sum >> kBits);
    }
}

// Bytes that are summed at a time.
constexpr int64_t kBlock = 64;

// The weighted sum of as many rows as the place has weights. Whole blocks are read.
TARGETS void Shorten(const uint8_t* from, int64_t stride, const Taps::Place& place, int64_t length, uint8_t* to) {
  for (int64_t first = 0; first < length; first += kBlock) {
    const int64_t n = std::min(kBlock, length - first);
    int32_t sums[kBlock];
    std::fill_n(sums, kBlock, kHalf);
    const uint8_t* row = from + first;
    for (int t = 0; t < place.count; ++t, row += stride)
      for (int64_t i = 0; i < kBlock; ++i) sums[i] += place.weights[t] * row[i];
    for (int64_t i = 0; i < n; ++i) to[first + i] = static_cast<uint8_t>(sums[i] >> kBits);
  }
}

// An image, or a part of it, whose first pixel is the one of `down.first` and `across.first`.
struct Pixels {
  const uint8_t* first;
  int64_t stride;
};

// First narrower, then shorter, with bytes between, as Pillow does it.
void Resize(const Pixels& source, const Taps& across, const Taps& down, const Size& target, uint8_t* to) {
  const int64_t length = target.width * target.channels, stride = length + kBlock, rows = down.end - down.first;
  const std::unique_ptr<uint8_t[]> narrow(new uint8_t[static_cast<size_t>(rows * stride)]);
  const auto make = target.channels == 1 ? NarrowGrey : NarrowColours;
  make(source.first, source.stride, rows, across, narrow.get(), stride);
  for (const Taps::Place& place : down.places) {
    Shorten(narrow.get() + (place.first - down.first) * stride, stride, place, length, to);
    to += length;
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
    const Window window = WindowOf(numbers, height, width, target_);
    tensorflow::jpeg::UncompressFlags flags;
    flags.components = static_cast<int>(target_.channels);
    flags.dct_method = JDCT_ISLOW;
    while (flags.ratio < 8 && window.height >= 4.0 * flags.ratio * static_cast<double>(target_.height) &&
           window.width >= 4.0 * flags.ratio * static_cast<double>(target_.width))
      flags.ratio *= 2;
    const double ratio = flags.ratio;
    const int rows = (height + flags.ratio - 1) / flags.ratio, columns = (width + flags.ratio - 1) / flags.ratio;
    const Taps across(window.left / ratio, window.width / ratio, target_.width, columns);
    const Taps down(window.top / ratio, window.height / ratio, target_.height, rows);
    // The decoder begins where a block begins; elsewhere it would copy all rows once more. At the sides it lacks the colours
    // beside, from which it interpolates: one pixel more makes the others those of the whole image.
    flags.crop = true;
    flags.crop_x = static_cast<int>(std::max<int64_t>(0, across.first - 1) / kMostBlock * kMostBlock);
    flags.crop_y = static_cast<int>(down.first);
    flags.crop_width = static_cast<int>(std::min<int64_t>(columns, across.end + 1)) - flags.crop_x;
    flags.crop_height = static_cast<int>(down.end - down.first);
    std::unique_ptr<uint8_t[]> pixels;
    Pixels part{nullptr, 0};
    const uint8_t* decoded =
        tensorflow::jpeg::Uncompress(file.data(), length, flags, nullptr, [&](int wide, int high, int channels) -> uint8_t* {
          if (channels != target_.channels) return nullptr;
          part.stride = static_cast<int64_t>(wide) * channels;
          pixels.reset(new uint8_t[static_cast<size_t>(part.stride * high + kBehind)]);
          return pixels.get();
        });
    if (decoded == nullptr) return false;
    part.first = decoded + (across.first - flags.crop_x) * target_.channels;
    Resize(part, across, down, target_, to);
    return true;
  }

  bool Png(const tensorflow::tstring& file, const int32_t* numbers, uint8_t* to) const {
    tensorflow::png::DecodeContext decoder;
    const absl::string_view bytes(file.data(), file.size());
    if (!tensorflow::png::CommonInitDecode(bytes, static_cast<int>(target_.channels), 8, &decoder)) return false;
    const int64_t rows = decoder.height, columns = decoder.width, stride = columns * target_.channels;
    const std::unique_ptr<uint8_t[]> pixels(new uint8_t[static_cast<size_t>(rows * stride + kBehind)]);
    if (!tensorflow::png::CommonFinishDecode(pixels.get(), static_cast<int>(stride), &decoder)) return false;
    const Window window = WindowOf(numbers, static_cast<double>(rows), static_cast<double>(columns), target_);
    const Taps across(window.left, window.width, target_.width, columns), down(window.top, window.height, target_.height, rows);
    Resize({pixels.get() + down.first * stride + across.first * target_.channels, stride}, across, down, target_, to);
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
