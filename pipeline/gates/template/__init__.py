"""The template lint: what bites CDK pipelines, found in a cloud assembly before it is deployed.

`assembly` and `template` read what a synthesis left behind, `rules` says what a rule is, and each
of the modules in `catalogue` holds the rules about one thing. All of it is pure:
nothing here asks AWS, and nothing knows which app was synthesised.
"""
