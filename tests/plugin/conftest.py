"""The example is loaded by the tests as users load it; collecting its modules would import them twice."""

collect_ignore = ["kinestream_example"]
