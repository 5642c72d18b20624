"""Answers the suites of this folder: python serve.py MODULE, where MODULE lies beside this file.

A line of JSON on standard input, {"call": "name", "with": {...}}, calls a function of the module by keywords; a line on
standard output gives {"value": ...} or {"error": "..."}. One process serves a suite, since TensorFlow takes seconds to
start. What anything else prints goes to standard error.
"""

import importlib
import json
import os
import sys
import traceback

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

module = importlib.import_module(sys.argv[1])
for line in sys.stdin:
    request = json.loads(line)
    try:
        answer = {"value": getattr(module, request["call"])(**request["with"])}
    except Exception:
        answer = {"error": traceback.format_exc(limit=-4)}
    print(json.dumps(answer), file=answers, flush=True)
