"""`python -m stages.detector ACTION`."""

from faceswap.config import run_actions
from stages.detector import ACTIONS, __doc__

if __name__ == "__main__":
    run_actions(ACTIONS, __doc__)
