// The native binding: what tfjs's node kernels expect of theirs (tensors, eager operations), and compiled functions
// that run off the JavaScript thread.
#include <napi.h>

#include <mutex>

#include "attributes.h"
#include "eager.h"
#include "graph.h"
#include "iterator.h"
#include "profile.h"
#include "tensorflow/c/eager/c_api_experimental.h"

namespace {

void AppendVarint(std::string& bytes, uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>(value | 0x80));
  bytes.push_back(static_cast<char>(value));
}

// A serialized tensorflow.ConfigProto, whose C++ class is not part of the C API.
std::string ConfigProto(uint64_t threads, bool gpu) {
  std::string config;
  config.push_back(0x10);  // 2: intra_op_parallelism_threads
  AppendVarint(config, threads);
  config.push_back(0x28);  // 5: inter_op_parallelism_threads
  AppendVarint(config, threads);
  config.append("\x32\x02\x20\x01", 4);                             // 6: gpu_options { 4: allow_growth = true }
  if (!gpu) config.append("\x0a\x07\x0a\x03GPU\x10\x00", 9);        // 1: device_count { "GPU": 0 }
  return config;
}

Device OpenDevice(uint64_t threads, bool gpu) {
  const std::string config = ConfigProto(threads, gpu);
  Status status;
  std::unique_ptr<TFE_ContextOptions, decltype(&TFE_DeleteContextOptions)> options(TFE_NewContextOptions(),
                                                                                   TFE_DeleteContextOptions);
  TFE_ContextOptionsSetConfig(options.get(), config.data(), config.size(), status);
  status.Check("configuration");
  Device device;
  device.context = TFE_NewContext(options.get(), status);
  status.Check("TensorFlow's context");
  std::unique_ptr<TF_DeviceList, decltype(&TF_DeleteDeviceList)> devices(
      TFE_ContextListDevices(device.context, status), TF_DeleteDeviceList);
  status.Check("list of devices");
  for (int i = 0; i < TF_DeviceListCount(devices.get()); ++i) {
    const std::string type = TF_DeviceListType(devices.get(), i, status);
    const bool better = type == "GPU" && !device.gpu;
    if (better || (type == "CPU" && device.name.empty())) device.name = TF_DeviceListName(devices.get(), i, status);
    device.gpu = device.gpu || better;
    status.Check("list of devices");
  }
  return device;
}

using Cancellation = std::shared_ptr<TFE_CancellationManager>;

// One run of a function, on a thread of Node's pool.
class Run : public Napi::AsyncWorker {
 public:
  Run(Napi::Env env, Tensors& tensors, std::string name, std::vector<Handle> inputs, std::vector<int64_t> targets)
      : Napi::AsyncWorker(env),
        tensors_(tensors),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        targets_(std::move(targets)),
        cancellation_(TFE_NewCancellationManager(), TFE_DeleteCancellationManager),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }
  const Cancellation& Cancelling() const { return cancellation_; }

 protected:
  void Execute() override {
    const OpPtr op = NewOp(name_, inputs_);
    // A serialized tensorflow.ConfigProto { graph_options { rewrite_options { memory_optimization: MANUAL } } }: what has a
    // hint is computed again for the backward pass, instead of being kept.
    static const std::string config("\x52\x04\x52\x02\x20\x02", 6);
    TFE_OpSetAttrString(op.get(), "config_proto", config.data(), config.size());
    Status status;
    TFE_OpSetCancellationManager(op.get(), cancellation_.get(), status);
    status.Check(name_);
    outputs_ = ::Execute(op, name_, static_cast<int>(targets_.size()));
  }
  void OnOK() override {
    std::vector<TFE_TensorHandle*> returned;
    for (size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i] < 0) returned.push_back(outputs_[i]);
      // A target that was deleted meanwhile is nobody's any more.
      else tensors_.Replace(targets_[i], Handle(outputs_[i], TFE_DeleteTensorHandle));
    }
    deferred_.Resolve(tensors_.DescribeAll(Env(), returned));
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Tensors& tensors_;
  std::string name_;
  std::vector<Handle> inputs_;
  std::vector<int64_t> targets_;
  Cancellation cancellation_;
  Napi::Promise::Deferred deferred_;
  std::vector<TFE_TensorHandle*> outputs_;
};

class Binding : public Napi::Addon<Binding> {
 public:
  Binding(Napi::Env env, Napi::Object exports) {
    DefineAddon(exports, {
                             InstanceMethod<&Binding::Open>("open"),
                             InstanceMethod<&Binding::CreateTensor>("createTensor"),
                             InstanceMethod<&Binding::RetainTensor>("retainTensor"),
                             InstanceMethod<&Binding::DeleteTensor>("deleteTensor"),
                             InstanceMethod<&Binding::TensorDataSync>("tensorDataSync"),
                             InstanceMethod<&Binding::ExecuteOp>("executeOp"),
                             InstanceMethod<&Binding::RunFunction>("runFunction"),
                             InstanceMethod<&Binding::RemoveFunction>("removeFunction"),
                             InstanceMethod<&Binding::StartProfile>("startProfile"),
                             InstanceMethod<&Binding::StopProfile>("stopProfile"),
                             InstanceMethod<&Binding::MakeIterator>("makeIterator"),
                             InstanceMethod<&Binding::NextElement>("nextElement"),
                             InstanceMethod<&Binding::CloseIterator>("closeIterator"),
                             InstanceMethod<&Binding::IsUsingGpuDevice>("isUsingGpuDevice"),
                             InstanceMethod<&Binding::GetNumOfTensors>("getNumOfTensors"),
                             InstanceValue("Graph", Graph::Class(env)),
                             InstanceValue("TF_Version", Napi::String::New(env, TF_Version())),
                         });
    const std::pair<const char*, int> constants[] = {
        {"TF_FLOAT", TF_FLOAT},           {"TF_BFLOAT16", TF_BFLOAT16},   {"TF_INT32", TF_INT32},         {"TF_INT64", TF_INT64},
        {"TF_BOOL", TF_BOOL},             {"TF_COMPLEX64", TF_COMPLEX64}, {"TF_STRING", TF_STRING},
        {"TF_RESOURCE", TF_RESOURCE},     {"TF_UINT8", TF_UINT8},         {"TF_ATTR_STRING", TF_ATTR_STRING},
        {"TF_ATTR_INT", TF_ATTR_INT},     {"TF_ATTR_FLOAT", TF_ATTR_FLOAT}, {"TF_ATTR_BOOL", TF_ATTR_BOOL},
        {"TF_ATTR_TYPE", TF_ATTR_TYPE},   {"TF_ATTR_SHAPE", TF_ATTR_SHAPE}, {"TF_ATTR_FUNC", TF_ATTR_FUNC},
    };
    for (const auto& [name, value] : constants) exports.Set(name, value);
  }

 private:
  // open(threads, gpu): makes the process's context; a later call finds it made.
  void Open(const Napi::CallbackInfo& info) {
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    if (TheDevice().context != nullptr) return;
    TheDevice() = OpenDevice(info[0].As<Napi::Number>().Uint32Value(), info[1].As<Napi::Boolean>().Value());
  }

  // createTensor(shape, dtype, values, host = false): id
  Napi::Value CreateTensor(const Napi::CallbackInfo& info) {
    const auto dtype = static_cast<TF_DataType>(info[1].As<Napi::Number>().Int32Value());
    const TensorPtr tensor = TensorFrom(ShapeFrom(info[0]), dtype, info[2]);
    Status status;
    TFE_TensorHandle* handle = TFE_NewTensorHandle(tensor.get(), status);
    status.Check("createTensor");
    Handle host(handle, TFE_DeleteTensorHandle);
    const bool stays = info[3].ToBoolean().Value();
    return Napi::Number::New(info.Env(), static_cast<double>(tensors_.Insert(stays ? host : OnDevice(host))));
  }

  // retainTensor(id): another id of the same tensor, which outlives the first
  Napi::Value RetainTensor(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(tensors_.Insert(Handle(tensors_.Get(IdFrom(info[0]))))));
  }

  void DeleteTensor(const Napi::CallbackInfo& info) { tensors_.Erase(IdFrom(info[0])); }

  Napi::Value TensorDataSync(const Napi::CallbackInfo& info) {
    Status status;
    const TensorPtr tensor(TFE_TensorHandleResolve(tensors_.Get(IdFrom(info[0])).get(), status), TF_DeleteTensor);
    status.Check("tensorDataSync");
    return TensorTo(info.Env(), tensor.get());
  }

  // executeOp(type, attributes, inputIds, outputCount, host = false): metadata[]
  Napi::Value ExecuteOp(const Napi::CallbackInfo& info) {
    const std::string type = info[0].As<Napi::String>().Utf8Value();
    const OpPtr op = NewOp(type, HandlesFrom(info[2]), info[4].ToBoolean().Value());
    SetAttributes(EagerAttributes{op.get()}, info[1].As<Napi::Array>());
    return tensors_.DescribeAll(info.Env(), Execute(op, type, info[3].As<Napi::Number>().Int32Value()));
  }

  // runFunction(name, inputIds, targets): { outputs: Promise<metadata[]>, cancel(): void }
  Napi::Value RunFunction(const Napi::CallbackInfo& info) {
    auto* run = new Run(info.Env(), tensors_, info[0].As<Napi::String>().Utf8Value(), HandlesFrom(info[1]),
                        IdsFrom(info[2]));
    auto running = Napi::Object::New(info.Env());
    running.Set("outputs", run->Promise());
    running.Set("cancel", Napi::Function::New(info.Env(), [cancellation = run->Cancelling()](const Napi::CallbackInfo&) {
                  TFE_CancellationManagerStartCancel(cancellation.get());
                }));
    run->Queue();
    return running;
  }

  void RemoveFunction(const Napi::CallbackInfo& info) {
    Status status;
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    TFE_ContextRemoveFunction(Context(), name.c_str(), status);
    status.Check(name);
  }

  void StartProfile(const Napi::CallbackInfo&) { ::StartProfile(); }

  Napi::Value StopProfile(const Napi::CallbackInfo& info) { return ::StopProfile(info.Env()); }

  // makeIterator(datasetId, types, shapes): Promise<iterator>
  Napi::Value MakeIterator(const Napi::CallbackInfo& info) {
    return ::MakeIterator(info, tensors_.Get(IdFrom(info[0])));
  }

  // nextElement(iterator): Promise<metadata[] | undefined>
  Napi::Value NextElement(const Napi::CallbackInfo& info) { return ::NextElement(info, tensors_); }

  // closeIterator(iterator): Promise<void>
  Napi::Value CloseIterator(const Napi::CallbackInfo& info) { return ::CloseIterator(info); }

  Napi::Value IsUsingGpuDevice(const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), TheDevice().gpu);
  }

  Napi::Value GetNumOfTensors(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(tensors_.Count()));
  }

  static int64_t IdFrom(const Napi::Value& value) { return value.As<Napi::Number>().Int64Value(); }

  std::vector<Handle> HandlesFrom(const Napi::Value& ids) const {
    std::vector<Handle> handles;
    for (int64_t id : IdsFrom(ids)) handles.push_back(tensors_.Get(id));
    return handles;
  }

  Tensors tensors_;
};

}  // namespace

NODE_API_ADDON(Binding)
