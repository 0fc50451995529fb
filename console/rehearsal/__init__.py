"""`pithead rehearse`: real releases, a rollback, a pipeline change and a refusal."""
