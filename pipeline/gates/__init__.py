"""Gates: programs that check a release, and pass or refuse it with one sentence.

Exit codes of each: 0 passed, 1 refused, 2 could not run, which also refuses.
"""
