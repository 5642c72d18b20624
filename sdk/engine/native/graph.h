// A TensorFlow graph under construction, which becomes a function of the context.
#pragma once

#include "tensors.h"

// The process's one eager context. It is never deleted: TensorFlow's threads may still run when the process exits.
TFE_Context* Context();

class Graph : public Napi::ObjectWrap<Graph> {
 public:
  static Napi::Function Class(Napi::Env env);
  explicit Graph(const Napi::CallbackInfo& info);
  ~Graph() override { TF_DeleteGraph(graph_); }

 private:
  Napi::Value Placeholder(const Napi::CallbackInfo& info);
  Napi::Value Constant(const Napi::CallbackInfo& info);
  Napi::Value Operation(const Napi::CallbackInfo& info);
  Napi::Value Finish(const Napi::CallbackInfo& info);

  TF_OperationDescription* Begin(const std::string& type, const std::string& scope = "");
  TF_Operation* End(TF_OperationDescription* description, const std::string& type);
  void AddInputs(TF_OperationDescription* description, const std::string& type, const Napi::Array& attributes,
                 const std::vector<int64_t>& ids);
  // Gives an output its id, and its dtype and shape from TensorFlow's shape inference; a shape that depends on values is
  // null.
  Napi::Object Describe(Napi::Env env, TF_Output output, const std::string& type);
  TF_Output Get(int64_t id) const;
  std::vector<TF_Output> GetAll(const Napi::Value& ids) const;

  TF_Graph* graph_;
  std::vector<TF_Output> values_;
  size_t operations_ = 0;
};
