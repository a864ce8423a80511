"""An exported model applied to pictures, with onnxruntime and without torch."""
