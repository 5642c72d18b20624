// The project's own operations, and their kernels for the CPU.
#include "adam.h"
#include "gate.h"
#include "mixture.h"
#include "staircase.h"
#include "statistics.h"
#include "tensorflow/core/framework/common_shape_fns.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/shape_inference.h"

namespace {

using tensorflow::shape_inference::DimensionHandle;
using tensorflow::shape_inference::InferenceContext;

absl::Status MixtureShape(InferenceContext* c) {
  std::vector<int64_t> owner;
  TF_RETURN_IF_ERROR(c->GetAttr("owner", &owner));
  const auto thresholds = static_cast<int64_t>(owner.size());
  c->set_output(0, c->Vector(thresholds));
  c->set_output(1, c->Vector(thresholds));
  c->set_output(2, c->Scalar());
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

REGISTER_OP("AutoqnnMixture")
    .Input("statistics: float")
    .Input("shares: float")
    .Input("active: float")
    .Output("thresholds: float")
    .Output("steps: float")
    .Output("base: float")
    .Attr("candidates: int")
    .Attr("places: list(int)")
    .Attr("weights: list(float)")
    .Attr("lowered: list(int)")
    .Attr("owner: list(int)")
    .Attr("within: list(int)")
    .SetShapeFn(MixtureShape);

REGISTER_OP("AutoqnnMixtureGradient")
    .Input("statistics: float")
    .Input("active: float")
    .Input("dsteps: float")
    .Input("dbase: float")
    .Output("dshares: float")
    .Attr("candidates: int")
    .Attr("places: list(int)")
    .Attr("weights: list(float)")
    .Attr("owner: list(int)")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(1));
      return absl::OkStatus();
    });

REGISTER_OP("AutoqnnStaircase")
    .Input("x: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Output("y: float")
    .SetShapeFn(tensorflow::shape_inference::UnchangedShape);

REGISTER_OP("AutoqnnRungs")
    .Input("x: float")
    .Input("thresholds: float")
    .Input("steps: float")
    .Input("base: float")
    .Input("scale: float")
    .Input("mask_thresholds: float")
    .Input("mask_steps: float")
    .Output("rungs: uint8")
    .Output("levels: float")
    .SetShapeFn([](InferenceContext* c) {
      c->set_output(0, c->input(0));
      DimensionHandle rungs;
      TF_RETURN_IF_ERROR(c->Add(c->Dim(c->input(1), 0), c->Dim(c->input(5), 0), &rungs));
      TF_RETURN_IF_ERROR(c->Add(rungs, 1, &rungs));
      c->set_output(1, c->Vector(rungs));
      return absl::OkStatus();
    });

REGISTER_OP("AutoqnnLevels")
    .Input("rungs: uint8")
    .Input("levels: float")
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
    .Input("rungs: Rungs")
    .Output("dx: float")
    .Output("dsteps: float")
    .Output("dbase: float")
    .Output("dscale: float")
    .Attr("Rungs: {uint8, float}")
    .SetShapeFn([](InferenceContext* c) {
      const int like[] = {0, 3, 4, 5};
      for (int i = 0; i < 4; ++i) c->set_output(i, c->input(like[i]));
      return absl::OkStatus();
    });

REGISTER_OP("AutoqnnAdam")
    .Input("x: float")
    .Input("gradient: float")
    .Input("m: float")
    .Input("v: float")
    .Input("rate: float")
    .Output("next_x: float")
    .Output("next_m: float")
    .Output("next_v: float")
    .Attr("beta1: float")
    .Attr("gain1: float")
    .Attr("beta2: float")
    .Attr("gain2: float")
    .Attr("epsilon: float")
    .SetShapeFn([](InferenceContext* c) {
      for (int i = 0; i < 3; ++i) c->set_output(i, c->input(0));
      return absl::OkStatus();
    });

// Stateful, so that TensorFlow neither folds it away nor takes two for one.
REGISTER_OP("AutoqnnGate")
    .Input("x: N * T")
    .Output("y: N * T")
    .Attr("N: int >= 1")
    .Attr("T: type")
    .SetIsStateful()
    .SetShapeFn([](InferenceContext* c) {
      for (int i = 0; i < c->num_inputs(); ++i) c->set_output(i, c->input(i));
      return absl::OkStatus();
    });

REGISTER_KERNEL_BUILDER(Name("AutoqnnGate").Device(tensorflow::DEVICE_CPU), autoqnn::GateOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnAdam").Device(tensorflow::DEVICE_CPU), autoqnn::AdamOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStatistics").Device(tensorflow::DEVICE_CPU), autoqnn::StatisticsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnMixture").Device(tensorflow::DEVICE_CPU), autoqnn::MixtureOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnMixtureGradient").Device(tensorflow::DEVICE_CPU), autoqnn::MixtureGradientOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircase").Device(tensorflow::DEVICE_CPU), autoqnn::StaircaseOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnRungs").Device(tensorflow::DEVICE_CPU), autoqnn::RungsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnLevels").Device(tensorflow::DEVICE_CPU), autoqnn::LevelsOp);
REGISTER_KERNEL_BUILDER(Name("AutoqnnStaircaseGradient").Device(tensorflow::DEVICE_CPU), autoqnn::StaircaseGradientOp);

}  // namespace
