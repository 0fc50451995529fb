"""The stacks that the pipeline deploys to an environment."""
