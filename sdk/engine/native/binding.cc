// The native binding: what tfjs's node kernels expect of theirs (tensors, eager operations), and compiled functions
// that run off the JavaScript thread.
#include <napi.h>

#include <mutex>

#include "attributes.h"
#include "graph.h"
#include "profile.h"
#include "tensors.h"

namespace {

struct Device {
  TFE_Context* context = nullptr;
  std::string name;
  bool gpu = false;
};

Device& TheDevice() {
  static auto* device = new Device();
  return *device;
}

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

using OpPtr = std::unique_ptr<TFE_Op, decltype(&TFE_DeleteOp)>;

OpPtr NewOp(const std::string& type, const std::vector<Handle>& inputs) {
  Status status;
  OpPtr op(TFE_NewOp(Context(), type.c_str(), status), TFE_DeleteOp);
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

Napi::Array DescribeAll(Napi::Env env, Tensors& tensors, const std::vector<TFE_TensorHandle*>& handles) {
  auto array = Napi::Array::New(env, handles.size());
  for (uint32_t i = 0; i < handles.size(); ++i) array.Set(i, tensors.Describe(env, handles[i]));
  return array;
}

// One run of a function, on a thread of Node's pool.
class Run : public Napi::AsyncWorker {
 public:
  Run(Napi::Env env, Tensors& tensors, std::string name, std::vector<Handle> inputs, int count)
      : Napi::AsyncWorker(env),
        tensors_(tensors),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        count_(count),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise Promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { outputs_ = ::Execute(NewOp(name_, inputs_), name_, count_); }
  void OnOK() override { deferred_.Resolve(DescribeAll(Env(), tensors_, outputs_)); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Tensors& tensors_;
  std::string name_;
  std::vector<Handle> inputs_;
  int count_;
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
                             InstanceMethod<&Binding::IsUsingGpuDevice>("isUsingGpuDevice"),
                             InstanceMethod<&Binding::GetNumOfTensors>("getNumOfTensors"),
                             InstanceValue("Graph", Graph::Class(env)),
                             InstanceValue("TF_Version", Napi::String::New(env, TF_Version())),
                         });
    const std::pair<const char*, int> constants[] = {
        {"TF_FLOAT", TF_FLOAT},           {"TF_INT32", TF_INT32},         {"TF_INT64", TF_INT64},
        {"TF_BOOL", TF_BOOL},             {"TF_COMPLEX64", TF_COMPLEX64}, {"TF_STRING", TF_STRING},
        {"TF_RESOURCE", TF_RESOURCE},     {"TF_UINT8", TF_UINT8},         {"TF_ATTR_STRING", TF_ATTR_STRING},
        {"TF_ATTR_INT", TF_ATTR_INT},     {"TF_ATTR_FLOAT", TF_ATTR_FLOAT}, {"TF_ATTR_BOOL", TF_ATTR_BOOL},
        {"TF_ATTR_TYPE", TF_ATTR_TYPE},   {"TF_ATTR_SHAPE", TF_ATTR_SHAPE},
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

  // createTensor(shape, dtype, values): id
  Napi::Value CreateTensor(const Napi::CallbackInfo& info) {
    const auto dtype = static_cast<TF_DataType>(info[1].As<Napi::Number>().Int32Value());
    const TensorPtr tensor = TensorFrom(ShapeFrom(info[0]), dtype, info[2]);
    Status status;
    TFE_TensorHandle* handle = TFE_NewTensorHandle(tensor.get(), status);
    status.Check("createTensor");
    // Shapes, axes and strings are read by kernels on the host.
    if (TheDevice().gpu && dtype != TF_INT32 && dtype != TF_STRING) {
      Handle host(handle, TFE_DeleteTensorHandle);
      handle = TFE_TensorHandleCopyToDevice(host.get(), Context(), TheDevice().name.c_str(), status);
      status.Check("createTensor");
    }
    return Napi::Number::New(info.Env(), static_cast<double>(tensors_.Insert(handle)));
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

  // executeOp(type, attributes, inputIds, outputCount): metadata[]
  Napi::Value ExecuteOp(const Napi::CallbackInfo& info) {
    const std::string type = info[0].As<Napi::String>().Utf8Value();
    const OpPtr op = NewOp(type, HandlesFrom(info[2]));
    SetAttributes(EagerAttributes{op.get()}, info[1].As<Napi::Array>());
    return DescribeAll(info.Env(), tensors_, Execute(op, type, info[3].As<Napi::Number>().Int32Value()));
  }

  // runFunction(name, inputIds, outputCount): Promise<metadata[]>
  Napi::Value RunFunction(const Napi::CallbackInfo& info) {
    auto* run = new Run(info.Env(), tensors_, info[0].As<Napi::String>().Utf8Value(), HandlesFrom(info[1]),
                        info[2].As<Napi::Number>().Int32Value());
    run->Queue();
    return run->Promise();
  }

  void RemoveFunction(const Napi::CallbackInfo& info) {
    Status status;
    const std::string name = info[0].As<Napi::String>().Utf8Value();
    TFE_ContextRemoveFunction(Context(), name.c_str(), status);
    status.Check(name);
  }

  void StartProfile(const Napi::CallbackInfo&) { ::StartProfile(); }

  Napi::Value StopProfile(const Napi::CallbackInfo& info) { return ::StopProfile(info.Env()); }

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

TFE_Context* Context() {
  if (TheDevice().context == nullptr) throw std::runtime_error("the engine is not open");
  return TheDevice().context;
}

NODE_API_ADDON(Binding)
