"""A layout of five joints."""

from pathlib import Path

from kinestream import layouts

layouts.add("stick5", Path(__file__).with_name("stick5.yaml"))
