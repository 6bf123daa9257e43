"""Embeds recordings without kinestream: python onnx_embed.py encoder.onnx embeddings.npy walk.npy run.npy ..."""

import sys

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1])
print(session.get_modelmeta().custom_metadata_map["input"])  # noqa: T201
moves = [np.load(file).astype(np.float32) for file in sys.argv[3:]]  # (t, m, v, 3): metres, y up
most = np.max([move.shape[:2] for move in moves], axis=0)
pads = [[(0, most[0] - move.shape[0]), (0, most[1] - move.shape[1]), (0, 0), (0, 0)] for move in moves]
joints = np.stack([np.pad(move, pad) for move, pad in zip(moves, pads, strict=True)])
np.save(sys.argv[2], session.run(["embedding"], {"joints": joints})[0])  # (n, d): unit rows, whose products are cosines
