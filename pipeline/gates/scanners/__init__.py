"""Scanners: run third-party tools over a checkout, and check that they scanned all of it.

If a tool is missing, crashes, or writes a report of an unknown form, the scanner raises
`CouldNotRunError` and never returns a clean result.
"""
