"""A search as people read it: what was asked, the recipes that fit, and why; nothing is computed anew here.

figures.py   intervals, batches, hours and money      told.py         the sentences over the plans
terminal.py  the answer on a terminal                 recipe_file.py  the recipe to run, with what it needs
chart.py     memory of recipes against their time     marks.py        its marks, their names and its legend
scale.py     where a figure lies on it                page.py         the chart, the plans and their recipes
files.py     the text of each file                    exported.py    what was written for other trainers
"""
