"""Checkpoints in Hugging Face's layout: reading and writing them safely.

A checkpoint is a folder: ``config.json`` says what the model is, one or more
files in the *safetensors* format hold its weights.  Only these two formats
are read, and neither can contain code.  Most readers need no more of this
than ``from_pretrained`` and ``save_pretrained`` of the models.
"""
