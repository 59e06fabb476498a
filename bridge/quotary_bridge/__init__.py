"""The bridge of Quotary: carries evidence, requests and results between TEEs and a chain."""

from __future__ import annotations

import sys

_RECURSION_LIMIT = 10_000
"""Far above what any code of ours needs, far below where the C stack ends."""

# py_ecc, which eth-account imports, sets the limit of the whole process to 100,000. Until Python
# 3.12 deep JSON then overruns the C stack: a hostile node or worker could kill us with 100 kB of
# brackets. So the import happens here, first, and the limit is put back.
_limit = min(sys.getrecursionlimit(), _RECURSION_LIMIT)

import eth_account  # noqa: E402, F401 (see above)

sys.setrecursionlimit(_limit)
