"""A method and an encoder for kinestream, as an example of a plug-in."""
