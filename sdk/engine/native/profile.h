// What TensorFlow's threads do, as its own profiler sees it.
#pragma once

#include <napi.h>

// Records from here on, until StopProfile. Throws if it records already.
void StartProfile();

// What was recorded: an array of { name, thread, start, end }, in milliseconds of one clock.
Napi::Array StopProfile(Napi::Env env);
