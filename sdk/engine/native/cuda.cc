// The NVIDIA driver and its compiler NVRTC, which are loaded when the first kernel is launched: a machine without a GPU has
// neither.
#include "cuda.h"

#include <dlfcn.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "xla/stream_executor/stream.h"

// The source of the kernels, as it is.
asm(".pushsection .rodata\n"
    "autoqnn_kernels:\n"
    ".incbin \"cuda/kernels.cu\"\n"
    ".byte 0\n"
    ".popsection\n");
extern "C" __attribute__((visibility("hidden"))) const char autoqnn_kernels[];

namespace autoqnn {
namespace {

using tensorflow::OpKernelContext;

// What is used of cuda.h and nvrtc.h, whose names these are without their cu, cuda and nvrtc.
using Context = struct CUctx_st*;
using Module = struct CUmod_st*;
using Function = struct CUfunc_st*;
using Program = struct _nvrtcProgram*;
constexpr int kMajor = 75, kMinor = 76;

class Library {
 public:
  explicit Library(std::vector<const char*> names) : names_(std::move(names)) {
    for (const char* name : names_)
      if (handle_ == nullptr) handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }

  template <typename Call>
  void Find(const char* name, Call** call) {
    *call = handle_ == nullptr ? nullptr : reinterpret_cast<Call*>(dlsym(handle_, name));
    if (*call == nullptr && missing_.empty()) missing_ = name;
  }

  absl::Status status() const {
    if (handle_ == nullptr)
      return absl::FailedPreconditionError(std::string("Expected the library ") + names_.front() +
                                           ", which the kernels for GPUs need, found none. Run npm run setup");
    if (!missing_.empty())
      return absl::FailedPreconditionError(std::string("Expected ") + missing_ + " in " + names_.front() +
                                           ", found an older version");
    return absl::OkStatus();
  }

 private:
  std::vector<const char*> names_;
  void* handle_ = nullptr;
  std::string missing_;
};

struct Driver {
  Driver() : library({"libcuda.so.1"}) {
    library.Find("cuGetErrorString", &error_string);
    library.Find("cuCtxGetCurrent", &current);
    library.Find("cuCtxGetDevice", &device);
    library.Find("cuDeviceGetAttribute", &attribute);
    library.Find("cuModuleLoadData", &load);
    library.Find("cuModuleGetFunction", &function);
    library.Find("cuLaunchKernel", &launch);
    library.Find("cuMemcpyHtoDAsync_v2", &upload);
  }

  Library library;
  int (*error_string)(int, const char**);
  int (*current)(Context*);
  int (*device)(int*);
  int (*attribute)(int*, int, int);
  int (*load)(Module*, const void*);
  int (*function)(Function*, Module, const char*);
  int (*launch)(Function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*, void**, void**);
  int (*upload)(unsigned long long, const void*, size_t, void*);
};

struct Compiler {
  Compiler() : library({"libnvrtc.so.12", "libnvrtc.so.13"}) {
    library.Find("nvrtcCreateProgram", &create);
    library.Find("nvrtcCompileProgram", &compile);
    library.Find("nvrtcDestroyProgram", &destroy);
    library.Find("nvrtcGetProgramLogSize", &log_size);
    library.Find("nvrtcGetProgramLog", &log);
    library.Find("nvrtcGetCUBINSize", &binary_size);
    library.Find("nvrtcGetCUBIN", &binary);
    library.Find("nvrtcGetPTXSize", &ptx_size);
    library.Find("nvrtcGetPTX", &ptx);
    library.Find("nvrtcGetNumSupportedArchs", &count);
    library.Find("nvrtcGetSupportedArchs", &architectures);
  }

  Library library;
  int (*create)(Program*, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(Program, int, const char* const*);
  int (*destroy)(Program*);
  int (*log_size)(Program, size_t*);
  int (*log)(Program, char*);
  int (*binary_size)(Program, size_t*);
  int (*binary)(Program, char*);
  int (*ptx_size)(Program, size_t*);
  int (*ptx)(Program, char*);
  int (*count)(int*);
  int (*architectures)(int*);
};

// Kernels as the driver takes them: machine code for `capability` (90 is 9.0), or, of a GPU that is newer than the compiler,
// code that the driver compiles further.
absl::Status Compile(int capability, std::vector<char>* code) {
  Compiler compiler;
  TF_RETURN_IF_ERROR(compiler.library.status());
  int count = 0;
  compiler.count(&count);
  std::vector<int> known(count);
  compiler.architectures(known.data());
  const bool exact = std::find(known.begin(), known.end(), capability) != known.end();
  int nearest = 0;
  for (int each : known)
    if (each <= capability) nearest = std::max(nearest, each);
  const std::string architecture = std::string("--gpu-architecture=") + (exact ? "sm_" : "compute_") + std::to_string(nearest);
  // Products and sums are rounded one by one, as on the processor.
  const char* options[] = {architecture.c_str(), "--fmad=false", "--std=c++17"};
  Program program = nullptr;
  int failed = compiler.create(&program, autoqnn_kernels, "kernels.cu", 0, nullptr, nullptr);
  if (failed == 0) failed = compiler.compile(program, 3, options);
  if (failed != 0) {
    size_t size = 0;
    compiler.log_size(program, &size);
    std::string log(size, ' ');
    compiler.log(program, log.data());
    compiler.destroy(&program);
    return absl::InternalError("NVRTC could not compile the kernels with " + architecture + ": " + log);
  }
  size_t size = 0;
  failed = exact ? compiler.binary_size(program, &size) : compiler.ptx_size(program, &size);
  code->resize(size);
  if (failed == 0) failed = exact ? compiler.binary(program, code->data()) : compiler.ptx(program, code->data());
  compiler.destroy(&program);
  return failed == 0 ? absl::OkStatus() : absl::InternalError("NVRTC gave no code for " + architecture);
}

// The kernels of each GPU that was used. They stay until the process ends.
class Kernels {
 public:
  static Kernels& All() {
    static Kernels& all = *new Kernels;
    return all;
  }

  absl::Status Find(const char* name, Function* found) {
    std::lock_guard<std::mutex> lock(mutex_);
    TF_RETURN_IF_ERROR(driver.library.status());
    Context context = nullptr;
    TF_RETURN_IF_ERROR(Checked(driver.current(&context), "cuCtxGetCurrent"));
    Module& module = modules_[context];
    if (module == nullptr) TF_RETURN_IF_ERROR(Load(&module));
    Function& function = functions_[{module, name}];
    if (function == nullptr) TF_RETURN_IF_ERROR(Checked(driver.function(&function, module, name), name));
    *found = function;
    return absl::OkStatus();
  }

  absl::Status Checked(int result, const char* what) const {
    if (result == 0) return absl::OkStatus();
    const char* why = nullptr;
    driver.error_string(result, &why);
    return absl::InternalError(std::string(what) + " failed: " + (why ? why : "unknown"));
  }

  Driver driver;

 private:
  absl::Status Load(Module* module) {
    int device = 0, major = 0, minor = 0;
    TF_RETURN_IF_ERROR(Checked(driver.device(&device), "cuCtxGetDevice"));
    TF_RETURN_IF_ERROR(Checked(driver.attribute(&major, kMajor, device), "cuDeviceGetAttribute"));
    TF_RETURN_IF_ERROR(Checked(driver.attribute(&minor, kMinor, device), "cuDeviceGetAttribute"));
    std::vector<char> code;
    TF_RETURN_IF_ERROR(Compile(10 * major + minor, &code));
    return Checked(driver.load(module, code.data()), "cuModuleLoadData");
  }

  std::mutex mutex_;
  std::map<Context, Module> modules_;
  std::map<std::pair<Module, std::string>, Function> functions_;
};

void* StreamOf(OpKernelContext* context) {
  return context->op_device_context()->stream()->platform_specific_handle().stream;
}

}  // namespace

absl::Status LaunchKernel(OpKernelContext* context, const char* kernel, const Extent& extent, void** arguments) {
  Kernels& kernels = Kernels::All();
  Function function = nullptr;
  TF_RETURN_IF_ERROR(kernels.Find(kernel, &function));
  return kernels.Checked(kernels.driver.launch(function, extent.blocks, extent.rows, 1, extent.threads, 1, 1, extent.memory,
                                               StreamOf(context), arguments, nullptr),
                         kernel);
}

absl::Status Upload(OpKernelContext* context, const void* from, size_t bytes, void* to) {
  Kernels& kernels = Kernels::All();
  TF_RETURN_IF_ERROR(kernels.driver.library.status());
  return kernels.Checked(
      kernels.driver.upload(reinterpret_cast<unsigned long long>(to), from, bytes, StreamOf(context)), "cuMemcpyHtoDAsync");
}

}  // namespace autoqnn
