#include "eager.h"

Device& TheDevice() {
  static auto* device = new Device();
  return *device;
}

TFE_Context* Context() {
  if (TheDevice().context == nullptr) throw std::runtime_error("the engine is not open");
  return TheDevice().context;
}

OpPtr NewOp(const std::string& type, const std::vector<Handle>& inputs, bool host) {
  Status status;
  OpPtr op(TFE_NewOp(Context(), type.c_str(), status), TFE_DeleteOp);
  status.Check(type);
  if (host) TFE_OpSetDevice(op.get(), "/device:CPU:0", status);
  status.Check(type);
  for (const Handle& input : inputs) {
    TFE_OpAddInput(op.get(), input.get(), status);
    status.Check(type);
  }
  return op;
}

std::vector<TFE_TensorHandle*> Execute(const OpPtr& op, const std::string& type, int count) {
  std::vector<TFE_TensorHandle*> outputs(static_cast<size_t>(count), nullptr);
  Status status;
  TFE_Execute(op.get(), outputs.data(), &count, status);
  status.Check(type);
  return outputs;
}

Handle OnDevice(const Handle& host) {
  const TF_DataType dtype = TFE_TensorHandleDataType(host.get());
  if (!TheDevice().gpu || dtype == TF_INT32 || dtype == TF_STRING) return host;
  Status status;
  Handle copy(TFE_TensorHandleCopyToDevice(host.get(), Context(), TheDevice().name.c_str(), status),
              TFE_DeleteTensorHandle);
  status.Check("copy to the device");
  return copy;
}
