"""The stacks of the pipeline and the service; synthesis alone imports the CDK."""
