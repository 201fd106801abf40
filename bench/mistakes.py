"""How well mistakes are told, in figures: one wrong token, and three mistakes at once.

``python bench/mistakes.py [CASES]`` prints what ``mutations.py`` and ``planted.py`` measure.
"""

from __future__ import annotations

import sys

import mutations
import planted

if __name__ == "__main__":
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    mutations.main(cases)
    planted.main(cases // 2)
