"""What each API call needs: actions, resources and condition keys.

Source: the Service Authorization Reference. An operation that is not listed here needs the action
of its own name on resource `*`, so that only a statement on all resources allows it: AWS may allow
more, never less.
"""
