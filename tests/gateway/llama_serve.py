"""llama.cpp's own HTTP server on a model that it gets written first.

Usage: llama_serve.py DIRECTORY PORT. Serves for ever.
"""

import os
import sys
import threading

import llama_model
import xllamacpp

# It answers by the model's path, which is thus its name alone.
os.chdir(sys.argv[1])
MODEL = "tiny.gguf"
llama_model.write(MODEL)

params = xllamacpp.CommonParams()
params.model.path = MODEL
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 2048
params.n_parallel = 4
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
params.warmup = False
server = xllamacpp.Server(params)
threading.Event().wait()
