// Tensors between JavaScript and TensorFlow: typed arrays in and out, and the table of the tensors JavaScript holds.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "tensorflow/c/c_api.h"
#include "tensorflow/c/eager/c_api.h"

class Status {
 public:
  Status() : status_(TF_NewStatus()) {}
  ~Status() { TF_DeleteStatus(status_); }
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  operator TF_Status*() { return status_; }

  // Throws TensorFlow's own message, which becomes the message of the JavaScript error.
  void Check(const std::string& what) {
    if (TF_GetCode(status_) != TF_OK) throw std::runtime_error(what + ": " + TF_Message(status_));
  }

 private:
  TF_Status* status_;
};

using TensorPtr = std::unique_ptr<TF_Tensor, decltype(&TF_DeleteTensor)>;
// Shared, so that a tensor deleted by JavaScript lives on while a running step reads it.
using Handle = std::shared_ptr<TFE_TensorHandle>;

std::vector<int64_t> ShapeFrom(const Napi::Value& value);
Napi::Array ShapeTo(Napi::Env env, const std::vector<int64_t>& shape);
std::vector<int64_t> IdsFrom(const Napi::Value& value);

// `{ id, dtype, shape }`, what tfjs's kernels expect of an output.
Napi::Object Metadata(Napi::Env env, int64_t id, TF_DataType dtype, const std::vector<int64_t>& shape);

// Copies: a TensorFlow thread may be the last to let go of a tensor, and only JavaScript's thread may touch its arrays.
TensorPtr TensorFrom(const std::vector<int64_t>& shape, TF_DataType dtype, const Napi::Value& data);
Napi::Value TensorTo(Napi::Env env, TF_Tensor* tensor);

class Tensors {
 public:
  int64_t Insert(TFE_TensorHandle* handle) { return Insert(Handle(handle, TFE_DeleteTensorHandle)); }
  int64_t Insert(Handle handle);
  const Handle& Get(int64_t id) const;
  // Does nothing where there is no such tensor.
  void Replace(int64_t id, Handle handle);
  void Erase(int64_t id);
  size_t Count() const { return handles_.size(); }
  // Takes over outputs of an operation: their ids, dtypes and shapes.
  Napi::Array DescribeAll(Napi::Env env, const std::vector<TFE_TensorHandle*>& handles);
  Napi::Object Describe(Napi::Env env, Handle handle);

 private:
  std::unordered_map<int64_t, Handle> handles_;
  int64_t next_ = 0;
};
