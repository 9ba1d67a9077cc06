"""Answers as people read them: text for a terminal, drawings, pages; nothing is computed anew here.

words.py     the languages, the names of parts and phases in them, and text of strangers made inert
peak.py      what is alive at the peak, grouped by what made it
terminal.py  the answer on a terminal                 explain.py   every part derived in words and numbers
folklore.py  the folk formulas beside the answer      outputs.py   files written whole or not at all
assumptions.py  what is taken for granted, in Chinese

timeline.py  memory over the step in a file            notebook.py  what a notebook shows
columns.py   a Timeline cut into columns, no peak lost drawing.py   the data behind a drawing
chart.py     the picture                               margins.py   its phases and its legend
page.py      the page around it, page.js, page.css     headline.py  the sentences over both
tables.py    its tables                                bilingual.py its words, both languages in one element
palette.py   the colours                               markup.py    escaping by construction
document.py  a page in one file                        naming.py    a recipe in few words
plans/       the answer to a search
"""
