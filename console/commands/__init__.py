"""The commands of `pithead`, a module each."""
