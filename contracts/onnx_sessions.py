"""How onnxruntime runs `model.onnx`: the service as training judged it, and as fast as either knows."""

# Passed as `disabled_optimizers`. The fused kernel is no faster than its parts anywhere we measured, and up to five
# times slower: with it, a run of an int8 MiniLM over 8 texts took a seventh longer (onnxruntime 1.31, AVX-512).
SLOW_FUSIONS = ["SkipLayerNormFusion"]
