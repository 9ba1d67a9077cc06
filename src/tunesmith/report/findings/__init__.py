"""What the checks of a data file found, as people read it: nothing is found anew here.

terminal.py   the answer on a terminal      page.py       the score card, each finding, and the lengths
card.py       the score card as a picture   histogram.py  lengths as a picture
told.py       the words that faces share
"""

from tunesmith.report.findings.terminal import answer

__all__ = ["answer"]
