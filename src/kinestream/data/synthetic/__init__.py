"""Generated recordings of people, written in the raw formats of NTU RGB+D, NW-UCLA and PKU-MMD."""

from kinestream.data.synthetic.catalogue import ntu_actions, nw_ucla_actions
from kinestream.data.synthetic.generate import generate_ntu, generate_nw_ucla
from kinestream.data.synthetic.performance import kinect20_from_ntu25, perform_ntu, perform_nw_ucla
from kinestream.data.synthetic.videos import count_pku_files, generate_pku

__all__ = [
    "count_pku_files",
    "generate_ntu",
    "generate_nw_ucla",
    "generate_pku",
    "kinect20_from_ntu25",
    "ntu_actions",
    "nw_ucla_actions",
    "perform_ntu",
    "perform_nw_ucla",
]
