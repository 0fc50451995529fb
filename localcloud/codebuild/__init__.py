"""CodeBuild: buildspecs run as processes, each with its project's own role."""
