"""Gates: small programs that let a commit pass or say in one sentence why not.

Exit codes of each: 0 passed, 1 refused, 2 could not run, which refuses too.
"""
