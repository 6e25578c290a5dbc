"""A plugin that ends the process at import."""

import sys

sys.exit("no licence")
