"""Learns representations of human movement from unlabelled 3D skeleton recordings.

Layers, each importing only those before it: files, config, console; skeleton; data; augment, distributed; models;
methods; recipes; features; train; evaluate; viz; reproduce; commands; cli.
"""
