"""A search as people read it: what was asked, the recipes that fit, and why; nothing is computed anew here.

naming.py    a recipe in few words, and what two of them differ in
figures.py   intervals, batches, hours and money as text
terminal.py  the answer on a terminal             recipe_file.py  the recipe to run, with what it needs
chart.py     memory of recipes against speed      page.py         the chart, the plans and their recipes
"""
