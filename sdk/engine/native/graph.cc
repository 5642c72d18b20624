#include "graph.h"

#include <atomic>

#include "attributes.h"
#include "tensorflow/c/c_api_experimental.h"

namespace {

std::string TextFrom(const Napi::Value& value) { return value.As<Napi::String>().Utf8Value(); }

int64_t NumberAttribute(const Napi::Array& attributes, const std::string& name, int64_t otherwise) {
  for (uint32_t i = 0; i < attributes.Length(); ++i) {
    auto attribute = attributes.Get(i).As<Napi::Object>();
    if (TextFrom(attribute.Get("name")) == name) return attribute.Get("value").As<Napi::Number>().Int64Value();
  }
  return otherwise;
}

}  // namespace

Napi::Function Graph::Class(Napi::Env env) {
  return DefineClass(env, "Graph",
                     {InstanceMethod<&Graph::Placeholder>("placeholder"), InstanceMethod<&Graph::Constant>("constant"),
                      InstanceMethod<&Graph::Operation>("operation"), InstanceMethod<&Graph::Finish>("finish")});
}

Graph::Graph(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Graph>(info), graph_(TF_NewGraph()) {}

TF_OperationDescription* Graph::Begin(const std::string& type, const std::string& scope) {
  return TF_NewOperation(graph_, type.c_str(), (scope + "n" + std::to_string(operations_++)).c_str());
}

TF_Operation* Graph::End(TF_OperationDescription* description, const std::string& type) {
  Status status;
  TF_Operation* operation = TF_FinishOperation(description, status);
  status.Check(type);
  return operation;
}

Napi::Object Graph::Describe(Napi::Env env, TF_Output output, const std::string& type) {
  Status status;
  const int rank = TF_GraphGetTensorNumDims(graph_, output, status);
  status.Check(type);
  std::vector<int64_t> shape(rank < 0 ? 0 : static_cast<size_t>(rank));
  if (rank > 0) TF_GraphGetTensorShape(graph_, output, shape.data(), rank, status);
  status.Check(type);
  bool known = rank >= 0;
  for (int64_t size : shape) known = known && size >= 0;
  values_.push_back(output);
  // Negative, because tfjs's backend frees ids from 0 on, and a value of a graph is freed with its graph.
  const int64_t id = -1 - static_cast<int64_t>(values_.size());
  Napi::Object metadata = Metadata(env, id, TF_OperationOutputType(output), shape);
  if (!known) metadata.Set("shape", env.Null());
  return metadata;
}

TF_Output Graph::Get(int64_t id) const {
  const int64_t index = -2 - id;
  if (index < 0 || index >= static_cast<int64_t>(values_.size())) {
    throw std::runtime_error("value " + std::to_string(id) + " is not of this graph");
  }
  return values_[static_cast<size_t>(index)];
}

std::vector<TF_Output> Graph::GetAll(const Napi::Value& ids) const {
  std::vector<TF_Output> outputs;
  for (int64_t id : IdsFrom(ids)) outputs.push_back(Get(id));
  return outputs;
}

// placeholder(dtype, shape)
Napi::Value Graph::Placeholder(const Napi::CallbackInfo& info) {
  TF_OperationDescription* description = Begin("Placeholder");
  const std::vector<int64_t> shape = ShapeFrom(info[1]);
  TF_SetAttrType(description, "dtype", static_cast<TF_DataType>(info[0].As<Napi::Number>().Int32Value()));
  TF_SetAttrShape(description, "shape", shape.data(), static_cast<int>(shape.size()));
  return Describe(info.Env(), {End(description, "Placeholder"), 0}, "Placeholder");
}

// constant(shape, dtype, values)
Napi::Value Graph::Constant(const Napi::CallbackInfo& info) {
  const auto dtype = static_cast<TF_DataType>(info[1].As<Napi::Number>().Int32Value());
  const TensorPtr tensor = TensorFrom(ShapeFrom(info[0]), dtype, info[2]);
  TF_OperationDescription* description = Begin("Const");
  Status status;
  TF_SetAttrType(description, "dtype", dtype);
  TF_SetAttrTensor(description, "value", tensor.get(), status);
  status.Check("Const");
  return Describe(info.Env(), {End(description, "Const"), 0}, "Const");
}

// A graph, unlike an eager operation, must be told which inputs form a list.
void Graph::AddInputs(TF_OperationDescription* description, const std::string& type, const Napi::Array& attributes,
                      const std::vector<int64_t>& ids) {
  size_t next = 0;
  for (int argument = 0; next < ids.size(); ++argument) {
    Status status;
    // Null, with an error in `status`, for an input that is no list.
    const char* number = TF_GetNumberAttrForOpListInput(type.c_str(), argument, status);
    if (number == nullptr) {
      TF_AddInput(description, Get(ids[next++]));
      continue;
    }
    const auto rest = static_cast<int64_t>(ids.size() - next);
    const int64_t length = NumberAttribute(attributes, number, rest);
    if (length < 0 || length > rest) throw std::runtime_error(type + ": " + number + " exceeds the inputs given");
    std::vector<TF_Output> list;
    for (int64_t i = 0; i < length; ++i) list.push_back(Get(ids[next++]));
    TF_AddInputList(description, list.data(), static_cast<int>(list.size()));
  }
}

// operation(type, attributes, inputIds, outputCount, scope)
Napi::Value Graph::Operation(const Napi::CallbackInfo& info) {
  const std::string type = TextFrom(info[0]);
  const auto attributes = info[1].As<Napi::Array>();
  TF_OperationDescription* description = Begin(type, TextFrom(info[4]));
  AddInputs(description, type, attributes, IdsFrom(info[2]));
  SetAttributes(GraphAttributes{description}, attributes);
  TF_Operation* operation = End(description, type);
  const int count = info[3].As<Napi::Number>().Int32Value();
  auto outputs = Napi::Array::New(info.Env(), static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    outputs.Set(static_cast<uint32_t>(i), Describe(info.Env(), {operation, i}, type));
  }
  return outputs;
}

// finish(label, inputIds, outputIds, xla): the name under which the context knows the function
Napi::Value Graph::Finish(const Napi::CallbackInfo& info) {
  static std::atomic<uint64_t> number{0};
  const std::string name = TextFrom(info[0]) + "_" + std::to_string(number++);
  const std::vector<TF_Output> inputs = GetAll(info[1]);
  const std::vector<TF_Output> outputs = GetAll(info[2]);
  Status status;
  TF_Function* function =
      TF_GraphToFunction(graph_, name.c_str(), 0, -1, nullptr, static_cast<int>(inputs.size()), inputs.data(),
                         static_cast<int>(outputs.size()), outputs.data(), nullptr, nullptr, nullptr, status);
  status.Check(name);
  if (info[3].As<Napi::Boolean>().Value()) {
    // A serialized tensorflow.AttrValue { b: true }, whose C++ class is not part of the C API.
    TF_FunctionSetAttrValueProto(function, "_XlaMustCompile", "\x28\x01", 2, status);
  }
  if (TF_GetCode(status) == TF_OK) TFE_ContextAddFunction(Context(), function, status);
  TF_DeleteFunction(function);
  status.Check(name);
  return Napi::String::New(info.Env(), name);
}
