// The process's device, and eager operations on it.
#pragma once

#include "graph.h"

struct Device {
  TFE_Context* context = nullptr;
  std::string name;
  bool gpu = false;
};

Device& TheDevice();

using OpPtr = std::unique_ptr<TFE_Op, decltype(&TFE_DeleteOp)>;

// An operation where TensorFlow sees fit, or on the host's processor.
OpPtr NewOp(const std::string& type, const std::vector<Handle>& inputs, bool host = false);
std::vector<TFE_TensorHandle*> Execute(const OpPtr& op, const std::string& type, int count);

// The tensor where the device's kernels expect it. On a GPU shapes, axes and strings stay on the host.
Handle OnDevice(const Handle& host);
