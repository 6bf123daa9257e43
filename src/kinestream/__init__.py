"""Learns representations of human actions from unlabelled 3D skeleton recordings.

The commands are in `kinestream.cli`.

Layers, each importing only those before it: layout, files, configs, screen; data; streams, augment; models; methods;
recipes; engine; evaluate; figures; report; commands; cli.
"""
