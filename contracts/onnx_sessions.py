"""How onnxruntime runs `model.onnx`, the same in training, which judges it, and in serving."""

# Passed as `disabled_optimizers`: the fused kernel takes up to five times what its parts take (onnxruntime 1.31).
SLOW_FUSIONS = ["SkipLayerNormFusion"]
