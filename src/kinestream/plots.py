"""Drawings of recordings, by the name they had before `kinestream.figures`."""

from kinestream.figures.skeleton import skeleton_animation, skeleton_strip

__all__ = ["skeleton_animation", "skeleton_strip"]
