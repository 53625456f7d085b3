"""What the Python tests share. The modules lie one folder up, beside this one:
`from mangletest import ctl` reads tests/lib/ctl.py."""

import os

__path__.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
