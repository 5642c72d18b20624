#include "tensors.h"

#include <cstring>

#include "tensorflow/c/tf_tstring.h"

namespace {

size_t ElementCount(const std::vector<int64_t>& shape) {
  size_t count = 1;
  for (int64_t size : shape) count *= static_cast<size_t>(size);
  return count;
}

bool Holds(napi_typedarray_type array, TF_DataType dtype) {
  switch (dtype) {
    case TF_FLOAT:
    case TF_COMPLEX64:
      return array == napi_float32_array;
    case TF_INT32:
      return array == napi_int32_array;
    case TF_INT64:  // tfjs writes a 64-bit integer as two 32-bit ones
      return array == napi_int32_array || array == napi_bigint64_array;
    case TF_BOOL:
    case TF_UINT8:
      return array == napi_uint8_array || array == napi_uint8_clamped_array;
    default:
      return false;
  }
}

struct Strings {
  explicit Strings(size_t count) : items(count) {
    for (TF_TString& item : items) TF_TString_Init(&item);
  }
  ~Strings() {
    for (TF_TString& item : items) TF_TString_Dealloc(&item);
  }
  std::vector<TF_TString> items;
};

TensorPtr StringTensor(const std::vector<int64_t>& shape, const Napi::Array& data) {
  auto strings = std::make_unique<Strings>(data.Length());
  for (uint32_t i = 0; i < data.Length(); ++i) {
    auto bytes = data.Get(i).As<Napi::Uint8Array>();
    TF_TString_Copy(&strings->items[i], reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  }
  Strings* owned = strings.release();
  return {TF_NewTensor(
              TF_STRING, shape.data(), static_cast<int>(shape.size()), owned->items.data(),
              owned->items.size() * sizeof(TF_TString),
              [](void*, size_t, void* arg) { delete static_cast<Strings*>(arg); }, owned),
          TF_DeleteTensor};
}

template <typename Array>
Napi::Value Copied(Napi::Env env, TF_Tensor* tensor, size_t count) {
  Array array = Array::New(env, count);
  std::memcpy(array.Data(), TF_TensorData(tensor), TF_TensorByteSize(tensor));
  return array;
}

}  // namespace

std::vector<int64_t> IdsFrom(const Napi::Value& value) {
  auto array = value.As<Napi::Array>();
  std::vector<int64_t> ids(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) ids[i] = array.Get(i).As<Napi::Number>().Int64Value();
  return ids;
}

std::vector<int64_t> ShapeFrom(const Napi::Value& value) { return IdsFrom(value); }

Napi::Array ShapeTo(Napi::Env env, const std::vector<int64_t>& shape) {
  auto array = Napi::Array::New(env, shape.size());
  for (uint32_t i = 0; i < shape.size(); ++i) array.Set(i, static_cast<double>(shape[i]));
  return array;
}

Napi::Object Metadata(Napi::Env env, int64_t id, TF_DataType dtype, const std::vector<int64_t>& shape) {
  auto object = Napi::Object::New(env);
  object.Set("id", static_cast<double>(id));
  object.Set("dtype", static_cast<int>(dtype));
  object.Set("shape", ShapeTo(env, shape));
  return object;
}

TensorPtr TensorFrom(const std::vector<int64_t>& shape, TF_DataType dtype, const Napi::Value& data) {
  const size_t count = ElementCount(shape);
  if (dtype == TF_STRING) {
    auto array = data.As<Napi::Array>();
    if (array.Length() != count) throw std::runtime_error("a string tensor's values do not match its shape");
    return StringTensor(shape, array);
  }
  if (!data.IsTypedArray()) throw std::runtime_error("a tensor's values must be a typed array");
  auto array = data.As<Napi::TypedArray>();
  const size_t bytes = count * TF_DataTypeSize(dtype);
  if (!Holds(array.TypedArrayType(), dtype) || array.ByteLength() != bytes) {
    throw std::runtime_error("a tensor of dtype " + std::to_string(dtype) + " and " + std::to_string(count) +
                             " elements cannot be made of a typed array of " +
                             std::to_string(array.ByteLength()) + " bytes");
  }
  TensorPtr tensor(TF_AllocateTensor(dtype, shape.data(), static_cast<int>(shape.size()), bytes), TF_DeleteTensor);
  if (bytes > 0) {
    const auto* start = static_cast<const uint8_t*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    std::memcpy(TF_TensorData(tensor.get()), start, bytes);
  }
  return tensor;
}

Napi::Value TensorTo(Napi::Env env, TF_Tensor* tensor) {
  const size_t count = static_cast<size_t>(TF_TensorElementCount(tensor));
  switch (TF_TensorType(tensor)) {
    case TF_FLOAT:
      return Copied<Napi::Float32Array>(env, tensor, count);
    case TF_COMPLEX64:
      return Copied<Napi::Float32Array>(env, tensor, 2 * count);
    case TF_INT32:
      return Copied<Napi::Int32Array>(env, tensor, count);
    case TF_INT64:
      return Copied<Napi::BigInt64Array>(env, tensor, count);
    case TF_BOOL:
      return Copied<Napi::Uint8Array>(env, tensor, count);
    case TF_UINT8: {  // tfjs has no such type and calls it int32
      auto array = Napi::Int32Array::New(env, count);
      const auto* bytes = static_cast<const uint8_t*>(TF_TensorData(tensor));
      for (size_t i = 0; i < count; ++i) array[i] = bytes[i];
      return array;
    }
    case TF_STRING: {
      auto array = Napi::Array::New(env, count);
      const auto* items = static_cast<const TF_TString*>(TF_TensorData(tensor));
      for (size_t i = 0; i < count; ++i) {
        auto bytes = Napi::Uint8Array::New(env, TF_TString_GetSize(&items[i]));
        std::memcpy(bytes.Data(), TF_TString_GetDataPointer(&items[i]), bytes.ByteLength());
        array.Set(static_cast<uint32_t>(i), bytes);
      }
      return array;
    }
    default:
      throw std::runtime_error("a tensor of dtype " + std::to_string(TF_TensorType(tensor)) + " cannot be read");
  }
}

int64_t Tensors::Insert(Handle handle) {
  handles_.emplace(next_, std::move(handle));
  return next_++;
}

const Handle& Tensors::Get(int64_t id) const {
  auto entry = handles_.find(id);
  if (entry == handles_.end()) throw std::runtime_error("tensor " + std::to_string(id) + " does not exist");
  return entry->second;
}

void Tensors::Replace(int64_t id, Handle handle) {
  auto entry = handles_.find(id);
  if (entry != handles_.end()) entry->second = std::move(handle);
}

void Tensors::Erase(int64_t id) {
  Get(id);
  handles_.erase(id);
}

Napi::Array Tensors::DescribeAll(Napi::Env env, const std::vector<TFE_TensorHandle*>& handles) {
  auto array = Napi::Array::New(env, handles.size());
  for (uint32_t i = 0; i < handles.size(); ++i) array.Set(i, Describe(env, Handle(handles[i], TFE_DeleteTensorHandle)));
  return array;
}

Napi::Object Tensors::Describe(Napi::Env env, Handle handle) {
  Status status;
  std::vector<int64_t> shape(static_cast<size_t>(TFE_TensorHandleNumDims(handle.get(), status)));
  for (size_t i = 0; i < shape.size(); ++i) shape[i] = TFE_TensorHandleDim(handle.get(), static_cast<int>(i), status);
  status.Check("shape of an output");
  const TF_DataType dtype = TFE_TensorHandleDataType(handle.get());
  return Metadata(env, Insert(std::move(handle)), dtype, shape);
}
