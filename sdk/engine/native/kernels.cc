// The project's own operations, and their kernels for the CPU.
#include "staircase.h"
#include "statistics.h"
#include "table.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace {

using tensorflow::shape_inference::InferenceContext;

absl::Status TableShape(InferenceContext* c) {
  std::vector<int64_t> owner;
  std::vector<float> rows;
  TF_RETURN_IF_ERROR(c->GetAttr("owner", &owner));
  TF_RETURN_IF_ERROR(c->GetAttr("rows", &rows));
  const int64_t thresholds = owner.size(), candidates = rows.size() / autoqnn::kStatistics - 2 * thresholds;
  c->set_output(0, c->Vector(thresholds));
  c->set_output(1, c->Vector(thresholds));
  c->set_output(2, c->Vector(candidates));
  return absl::OkStatus();
}

REGISTER_OP("AutoqnnStatistics")
    .Input("x: float")
    .Output("statistics: float")
    .Attr("only: int")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->Vector(autoqnn::kStatistics));
      return absl::OkStatus();
    });

REGISTER_OP("AutoqnnTable")
    .Input("statistics: float")
    .Input("active: float")
    .Output("thresholds: float")
    .Output("jumps: float")
    .Output("bases: float")
    .Attr("rows: list(float)")
    .Attr("lowered: list(int)")
    .Attr("owner: list(int)")
    .Attr("within: list(int)")
    .SetShapeFn(TableShape);

REGISTER_OP("AutoqnnStaircase")
    .Input("x: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("AutoqnnStaircaseGradient")
    .Input("x: float")
    .Input("dy: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Input("mask_thresholds: float")
    .Input("mask_steps: float")
    .Input("mask_base: float")
    .Output("dx: float")
    .Output("dsteps: float")
    .Output("dbase: float")
    .Output("dscale: float")
    .SetShapeFn([](InferenceContext* c) {
      const int like[] = {0, 3, 4, 5};
      for (int i = 0; i < 4; ++i) c->set_output(i, c->input(like[i]));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("AutoqnnStatistics").Device(tensorflow::DEVICE_CPU), autoqnn::StatisticsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnTable").Device(tensorflow::DEVICE_CPU), autoqnn::TableOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircase").Device(tensorflow::DEVICE_CPU), autoqnn::StaircaseOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircaseGradient").Device(tensorflow::DEVICE_CPU), autoqnn::StaircaseGradientOp);

}  // namespace
