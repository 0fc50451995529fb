"""`pithead rehearse`: releases, a rollback, a pipeline change and a refusal, played for real."""
