// Iterators over datasets of tf.data: made, advanced and let go of off the JavaScript thread.
#pragma once

#include "eager.h"

// makeIterator(dataset, types, shapes): an iterator, which JavaScript's garbage collection frees at the latest
Napi::Value MakeIterator(const Napi::CallbackInfo& info, const Handle& dataset);
// nextElement(iterator): the tensors of the next element; undefined after the last
Napi::Value NextElement(const Napi::CallbackInfo& info, Tensors& tensors);
// closeIterator(iterator): frees the iterator, and with it what is made ahead
Napi::Value CloseIterator(const Napi::CallbackInfo& info);
