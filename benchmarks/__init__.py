"""Programs behind every performance figure in docs/: each prints one JSON object."""
