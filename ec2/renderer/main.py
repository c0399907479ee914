"""The renderer's machine: started by ``ec2/user_data.py`` for the job and epoch in the machine's tags."""

import sys

from mangavid.aws.worker import main

if __name__ == "__main__":
    sys.exit(main("render"))
