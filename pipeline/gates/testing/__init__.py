"""Run tests in a child process whose results the tests cannot easily forge.

The child (`child`) runs pytest, records each test, and authenticates every record. The gate
(`session`) accepts only these records. It compares them with the tests (`census`) and hooks
(`hooks`) in the source files, and with the last promoted release (`promoted`).
"""
