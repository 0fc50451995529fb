"""CodeBuild: runs buildspecs as processes with the service role of their project."""
