// Record: one example of a TFRecord file, the one that begins at an offset: the bytes of its image, and its class. TensorFlow's
// own reader checks the sums of length and data, its own parser reads the example. It runs in input pipelines, hence on the
// CPU alone.
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/lib/io/record_reader.h"
#include "tensorflow/core/util/example_proto_fast_parsing.h"
#include "vectors.h"

namespace autoqnn {
namespace {

using tensorflow::tstring;
using tensorflow::example::FastParseExampleConfig;

class RecordOp : public OpKernel {
 public:
  explicit RecordOp(OpKernelConstruction* context) : OpKernel(context) {
    std::string image, label;
    OP_REQUIRES_OK(context, context->GetAttr("image_feature", &image));
    OP_REQUIRES_OK(context, context->GetAttr("label_feature", &label));
    OP_REQUIRES_OK(context, context->GetAttr("first", &first_));
    OP_REQUIRES_OK(context, context->GetAttr("classes", &classes_));
    // A default without elements: the feature must be there.
    for (const auto& [name, type] : {std::pair(image, tensorflow::DT_STRING), std::pair(label, tensorflow::DT_INT64)})
      features_.dense.emplace_back(name, type, tensorflow::PartialTensorShape(std::initializer_list<int64_t>{}), Tensor(type, {0}),
                                   false, 1);
  }

  void Compute(OpKernelContext* context) override {
    const std::string path = context->input(0).scalar<tstring>()();
    auto offset = static_cast<uint64_t>(context->input(1).scalar<int64_t>()());
    std::unique_ptr<tensorflow::RandomAccessFile> file;
    OP_REQUIRES_OK(context, context->env()->NewRandomAccessFile(path, &file));
    tstring record;
    OP_REQUIRES_OK(context, tensorflow::io::RecordReader(file.get()).ReadRecord(&offset, &record));
    tensorflow::example::Result parsed;
    OP_REQUIRES_OK(context, tensorflow::example::FastParseSingleExample(features_, record, &parsed));
    const int64_t label = parsed.dense_values[1].scalar<int64_t>()() - first_;
    OP_REQUIRES(context, label >= 0 && label < classes_,
                absl::InvalidArgumentError("Expected a class from " + std::to_string(first_) + " to " +
                                           std::to_string(first_ + classes_ - 1) + ", received " +
                                           std::to_string(label + first_)));
    Tensor* output = nullptr;
    OP_REQUIRES_OK(context, context->allocate_output(1, TensorShape({}), &output));
    output->scalar<int32_t>()() = static_cast<int32_t>(label);
    context->set_output(0, parsed.dense_values[0]);
  }

 private:
  FastParseExampleConfig features_;
  int64_t first_ = 0, classes_ = 0;
};

REGISTER_OP("AutoqnnRecord")
    .Input("path: string")
    .Input("offset: int64")
    .Output("image: string")
    .Output("label: int32")
    .Attr("image_feature: string")
    .Attr("label_feature: string")
    .Attr("first: int")
    .Attr("classes: int >= 1")
    .SetShapeFn([](tensorflow::shape_inference::InferenceContext* context) {
      context->set_output(0, context->Scalar());
      context->set_output(1, context->Scalar());
      return absl::OkStatus();
    });
REGISTER_KERNEL_BUILDER(Name("AutoqnnRecord").Device(tensorflow::DEVICE_CPU), RecordOp);

}  // namespace
}  // namespace autoqnn
