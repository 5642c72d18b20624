#include "iterator.h"

#include <optional>

#include "attributes.h"

namespace {

// What an element is made of.
struct Element {
  std::vector<TF_DataType> types;
  Shapes shapes;

  void Describe(const OpPtr& op) const {
    EagerAttributes{op.get()}.Types("output_types", types);
    EagerAttributes{op.get()}.Shapes("output_shapes", shapes);
  }
};

struct Iterator {
  Handle handle;
  std::shared_ptr<const Element> element;
};

class Worker : public Napi::AsyncWorker {
 public:
  explicit Worker(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}

  static Napi::Value Started(Worker* worker) {
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 protected:
  void OnOK() override { deferred_.Resolve(Result()); }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }
  virtual Napi::Value Result() { return Env().Undefined(); }

 private:
  Napi::Promise::Deferred deferred_;
};

class Making : public Worker {
 public:
  Making(Napi::Env env, Handle dataset, std::shared_ptr<const Element> element)
      : Worker(env), dataset_(std::move(dataset)), iterator_{nullptr, std::move(element)} {}

 protected:
  void Execute() override {
    const OpPtr anonymous = NewOp("AnonymousIteratorV3", {}, true);
    iterator_.element->Describe(anonymous);
    iterator_.handle = Handle(::Execute(anonymous, "AnonymousIteratorV3", 1)[0], TFE_DeleteTensorHandle);
    ::Execute(NewOp("MakeIterator", {dataset_, iterator_.handle}, true), "MakeIterator", 0);
    dataset_.reset();
  }

  Napi::Value Result() override {
    return Napi::External<Iterator>::New(Env(), new Iterator(iterator_), [](Napi::Env, Iterator* it) { delete it; });
  }

 private:
  Handle dataset_;
  Iterator iterator_;
};

// Never cancelled: that would poison the iterator.
class Taking : public Worker {
 public:
  Taking(Napi::Env env, Iterator iterator, Tensors& tensors)
      : Worker(env), iterator_(std::move(iterator)), tensors_(tensors) {}

 protected:
  void Execute() override {
    const OpPtr op = NewOp("IteratorGetNext", {iterator_.handle}, true);
    iterator_.element->Describe(op);
    std::vector<TFE_TensorHandle*> outputs(iterator_.element->types.size(), nullptr);
    int count = static_cast<int>(outputs.size());
    Status status;
    TFE_Execute(op.get(), outputs.data(), &count, status);
    iterator_.handle.reset();
    if (TF_GetCode(status) == TF_OUT_OF_RANGE) return;
    status.Check("IteratorGetNext");
    taken_.emplace();
    for (TFE_TensorHandle* output : outputs) taken_->emplace_back(output, TFE_DeleteTensorHandle);
    for (Handle& tensor : *taken_) tensor = OnDevice(tensor);
  }

  Napi::Value Result() override {
    if (!taken_) return Env().Undefined();
    auto array = Napi::Array::New(Env(), taken_->size());
    for (uint32_t i = 0; i < taken_->size(); ++i) array.Set(i, tensors_.Describe(Env(), (*taken_)[i]));
    return array;
  }

 private:
  Iterator iterator_;
  Tensors& tensors_;
  std::optional<std::vector<Handle>> taken_;
};

// Threads that make elements ahead are waited for, so this too may take a while.
class Closing : public Worker {
 public:
  Closing(Napi::Env env, Handle handle) : Worker(env), handle_(std::move(handle)) {}

 protected:
  void Execute() override { handle_.reset(); }

 private:
  Handle handle_;
};

Iterator& IteratorFrom(const Napi::Value& value) { return *value.As<Napi::External<Iterator>>().Data(); }

}  // namespace

Napi::Value MakeIterator(const Napi::CallbackInfo& info, const Handle& dataset) {
  const auto toType = [](const Napi::Value& v) { return static_cast<TF_DataType>(v.As<Napi::Number>().Int32Value()); };
  auto element = std::make_shared<const Element>(
      Element{ListFrom<TF_DataType>(info[1], toType), Shapes(info[2].As<Napi::Array>())});
  return Worker::Started(new Making(info.Env(), dataset, std::move(element)));
}

Napi::Value NextElement(const Napi::CallbackInfo& info, Tensors& tensors) {
  const Iterator& iterator = IteratorFrom(info[0]);
  if (iterator.handle == nullptr) throw std::runtime_error("the iterator is closed");
  return Worker::Started(new Taking(info.Env(), iterator, tensors));
}

Napi::Value CloseIterator(const Napi::CallbackInfo& info) {
  return Worker::Started(new Closing(info.Env(), std::move(IteratorFrom(info[0]).handle)));
}
