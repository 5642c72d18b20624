// The attribute list of tfjs's kernels, `{ name, type, value }[]`, set on an eager operation or on one of a graph.
#pragma once

#include "tensors.h"

// Several shapes in the form of TensorFlow's C interface.
struct Shapes {
  explicit Shapes(const Napi::Array& array) {
    for (uint32_t i = 0; i < array.Length(); ++i) all.push_back(ShapeFrom(array.Get(i)));
    for (const auto& shape : all) {
      dims.push_back(shape.data());
      ranks.push_back(static_cast<int>(shape.size()));
    }
  }
  Shapes(Shapes&&) = default;
  std::vector<std::vector<int64_t>> all;
  std::vector<const int64_t*> dims;
  std::vector<int> ranks;
};

struct EagerAttributes {
  TFE_Op* op;
  void String(const char* name, const std::string& v) { TFE_OpSetAttrString(op, name, v.data(), v.size()); }
  void Int(const char* name, int64_t v) { TFE_OpSetAttrInt(op, name, v); }
  void Ints(const char* name, const std::vector<int64_t>& v) { TFE_OpSetAttrIntList(op, name, v.data(), static_cast<int>(v.size())); }
  void Float(const char* name, float v) { TFE_OpSetAttrFloat(op, name, v); }
  void Floats(const char* name, const std::vector<float>& v) { TFE_OpSetAttrFloatList(op, name, v.data(), static_cast<int>(v.size())); }
  void Bool(const char* name, bool v) { TFE_OpSetAttrBool(op, name, v); }
  void Bools(const char* name, const std::vector<unsigned char>& v) { TFE_OpSetAttrBoolList(op, name, v.data(), static_cast<int>(v.size())); }
  void Type(const char* name, TF_DataType v) { TFE_OpSetAttrType(op, name, v); }
  void Types(const char* name, const std::vector<TF_DataType>& v) { TFE_OpSetAttrTypeList(op, name, v.data(), static_cast<int>(v.size())); }
  void Function(const char* name, const std::string& v) { TFE_OpSetAttrFunctionName(op, name, v.data(), v.size()); }
  void Shapes(const char* name, const Shapes& v) {
    Status status;
    TFE_OpSetAttrShapeList(op, name, const_cast<const int64_t**>(v.dims.data()), v.ranks.data(), static_cast<int>(v.ranks.size()), status);
    status.Check(name);
  }
  void Shape(const char* name, const std::vector<int64_t>& v) {
    Status status;
    TFE_OpSetAttrShape(op, name, v.data(), static_cast<int>(v.size()), status);
    status.Check(name);
  }
};

struct GraphAttributes {
  TF_OperationDescription* op;
  void String(const char* name, const std::string& v) { TF_SetAttrString(op, name, v.data(), v.size()); }
  void Int(const char* name, int64_t v) { TF_SetAttrInt(op, name, v); }
  void Ints(const char* name, const std::vector<int64_t>& v) { TF_SetAttrIntList(op, name, v.data(), static_cast<int>(v.size())); }
  void Float(const char* name, float v) { TF_SetAttrFloat(op, name, v); }
  void Floats(const char* name, const std::vector<float>& v) { TF_SetAttrFloatList(op, name, v.data(), static_cast<int>(v.size())); }
  void Bool(const char* name, bool v) { TF_SetAttrBool(op, name, v); }
  void Bools(const char* name, const std::vector<unsigned char>& v) { TF_SetAttrBoolList(op, name, v.data(), static_cast<int>(v.size())); }
  void Type(const char* name, TF_DataType v) { TF_SetAttrType(op, name, v); }
  void Types(const char* name, const std::vector<TF_DataType>& v) { TF_SetAttrTypeList(op, name, v.data(), static_cast<int>(v.size())); }
  void Function(const char* name, const std::string& v) { TF_SetAttrFuncName(op, name, v.data(), v.size()); }
  void Shapes(const char* name, const Shapes& v) { TF_SetAttrShapeList(op, name, v.dims.data(), v.ranks.data(), static_cast<int>(v.ranks.size())); }
  void Shape(const char* name, const std::vector<int64_t>& v) { TF_SetAttrShape(op, name, v.data(), static_cast<int>(v.size())); }
};

template <typename T, typename Convert>
std::vector<T> ListFrom(const Napi::Value& value, Convert convert) {
  auto array = value.As<Napi::Array>();
  std::vector<T> list(array.Length());
  for (uint32_t i = 0; i < array.Length(); ++i) list[i] = convert(array.Get(i));
  return list;
}

template <typename Target>
void SetAttribute(Target target, const char* name, int type, const Napi::Value& value) {
  const auto toFloat = [](const Napi::Value& v) { return v.As<Napi::Number>().FloatValue(); };
  const auto toType = [](const Napi::Value& v) { return static_cast<TF_DataType>(v.As<Napi::Number>().Int32Value()); };
  const auto toBool = [](const Napi::Value& v) { return static_cast<unsigned char>(v.ToBoolean().Value()); };
  const bool list = value.IsArray();
  switch (type) {
    case TF_ATTR_STRING:
      return target.String(name, value.As<Napi::String>().Utf8Value());
    case TF_ATTR_INT:
      return list ? target.Ints(name, IdsFrom(value)) : target.Int(name, value.As<Napi::Number>().Int64Value());
    case TF_ATTR_FLOAT:
      return list ? target.Floats(name, ListFrom<float>(value, toFloat)) : target.Float(name, toFloat(value));
    case TF_ATTR_BOOL:
      return list ? target.Bools(name, ListFrom<unsigned char>(value, toBool)) : target.Bool(name, toBool(value) != 0);
    case TF_ATTR_TYPE:
      return list ? target.Types(name, ListFrom<TF_DataType>(value, toType)) : target.Type(name, toType(value));
    case TF_ATTR_SHAPE: {
      auto shape = value.As<Napi::Array>();
      const bool several = shape.Length() > 0 && shape.Get(0u).IsArray();
      return several ? target.Shapes(name, Shapes(shape)) : target.Shape(name, ShapeFrom(value));
    }
    case TF_ATTR_FUNC:
      return target.Function(name, value.As<Napi::String>().Utf8Value());
    default:
      throw std::runtime_error(std::string("attribute ") + name + " has the unknown type " + std::to_string(type));
  }
}

template <typename Target>
void SetAttributes(Target target, const Napi::Array& attributes) {
  for (uint32_t i = 0; i < attributes.Length(); ++i) {
    auto attribute = attributes.Get(i).As<Napi::Object>();
    const std::string name = attribute.Get("name").As<Napi::String>().Utf8Value();
    SetAttribute(target, name.c_str(), attribute.Get("type").As<Napi::Number>().Int32Value(), attribute.Get("value"));
  }
}
