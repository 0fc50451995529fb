"""How the gates run tests: pytest in a child process whose results the tests cannot easily forge.

The child (`child`) records each test and authenticates every record; the gate (`session`) accepts
nothing else, compares it with what the source files contain (`census`) and with the hooks that
they define (`hooks`), and with the release that was promoted last (`promoted`).
"""
