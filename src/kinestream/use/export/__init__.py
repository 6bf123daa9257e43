"""A model as one file for other programs: ONNX, or torch's own `.pt2`."""
