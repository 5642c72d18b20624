// load(path): loads a shared library while nothing is printed. libtensorflow announces its use of oneDNN on stderr as it
// is loaded, before any log level can be set.
#include <dlfcn.h>
#include <fcntl.h>
#include <napi.h>
#include <unistd.h>

#include <cstdio>

namespace {

class Muted {
 public:
  Muted() : stderr_(dup(STDERR_FILENO)) {
    std::fflush(stderr);
    const int nowhere = open("/dev/null", O_WRONLY);
    if (nowhere < 0) return;
    dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  ~Muted() {
    std::fflush(stderr);
    if (stderr_ < 0) return;
    dup2(stderr_, STDERR_FILENO);
    close(stderr_);
  }

 private:
  int stderr_;
};

void Load(const Napi::CallbackInfo& info) {
  const std::string path = info[0].As<Napi::String>().Utf8Value();
  Muted muted;
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) throw Napi::Error::New(info.Env(), dlerror());
}

Napi::Object Exports(Napi::Env env, Napi::Object exports) {
  exports.Set("load", Napi::Function::New(env, Load));
  return exports;
}

}  // namespace

NODE_API_MODULE(quiet, Exports)
