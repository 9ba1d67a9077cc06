"""What a model makes of data: its losses row by row, and what more words do to it. PyTorch runs here.

weights.py    a local folder of safetensors weights, loaded without any code of its own
losses.py     the loss of every row of a data file, under such a model
extending.py  a model and its tokenizer with more words, written to a new folder
"""
