"""The `pithead` command: it speaks the AWS API, and cannot tell AWS from the local cloud."""
