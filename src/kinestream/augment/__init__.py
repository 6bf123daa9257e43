"""Augmentations of clips: transforms, those of AimCLR's extreme view, and the settings by which recipes choose them."""
