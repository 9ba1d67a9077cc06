"""Rows that are made: from tables and triples by templates, from texts by a model, with passages to read.

filling.py    texts with blanks, and what may not fill them     wordings.py  how relations are asked for
triples.py    facts as questions and answers                    bm25.py      passages that fit a question
passages.py   a file as passages                                retrieval.py questions with passages to read
asking.py     a prompt, a reply, a made row                     prompts.py   every prompt, by its name
documents.py  texts as questions    rows.py  rows as other rows    judging.py  why a made row is refused
endpoint.py   a writer behind HTTP  journal.py what was answered  limits.py    requests, tokens, money
apart.py      no held-out row       settings.py what can be asked for
running.py    all of it in order
"""
