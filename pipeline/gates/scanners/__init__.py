"""Scanners: what others' tools find in a checkout, and the proof that they have looked.

A scanner that is missing, that crashes, or whose answer is not of the form that it had when this
was written, has found nothing out: `CouldNotRunError`, never a clean answer.
"""
