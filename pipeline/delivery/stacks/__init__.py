"""The stacks that the pipeline delivers into an environment."""
