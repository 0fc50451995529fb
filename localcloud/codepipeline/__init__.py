"""CodePipeline (V2): stages, actions, artifacts, variables, approvals, conditions."""
