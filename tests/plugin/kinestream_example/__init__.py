"""A layout, a file format, a method, an encoder and an evaluation for kinestream, as an example of a plug-in."""
