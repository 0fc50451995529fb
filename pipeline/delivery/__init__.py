"""What runs at synthesis: the stacks of pipeline and service. Only it imports the CDK."""
