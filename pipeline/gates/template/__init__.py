"""The template lint: find known faults of CDK pipelines in a cloud assembly before its deployment.

`assembly` and `template` read the output of a synthesis, `rules` defines what a rule is, and
`catalogue` lists the modules with rules, one for each topic. The lint calls no AWS service and
depends on no particular app.
"""
