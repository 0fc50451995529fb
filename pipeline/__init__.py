"""The CDK app: the pipeline, the stacks that it delivers, the gates that it asks."""
