#include "profile.h"

#include "xla/tsl/profiler/backends/cpu/traceme_recorder.h"

namespace {

using Recorder = tsl::profiler::TraceMeRecorder;

// Operations that TensorFlow takes for cheap are recorded from this level on.
constexpr int kEveryOperation = 3;

}  // namespace

void StartProfile() {
  if (!Recorder::Start(kEveryOperation)) throw std::runtime_error("a profile is being recorded already");
}

Napi::Array StopProfile(Napi::Env env) {
  auto spans = Napi::Array::New(env);
  uint32_t count = 0;
  for (const Recorder::ThreadEvents& thread : Recorder::Stop()) {
    for (const Recorder::Event& event : thread.events) {
      if (!event.IsComplete()) continue;
      auto span = Napi::Object::New(env);
      span.Set("name", event.name);
      span.Set("thread", thread.thread.name);
      span.Set("start", static_cast<double>(event.start_time) / 1e6);
      span.Set("end", static_cast<double>(event.end_time) / 1e6);
      spans.Set(count++, span);
    }
  }
  return spans;
}
