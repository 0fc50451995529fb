"""The `pithead` command, an AWS client; AWS and the local cloud are the same to it."""
