"""What every service of the local cloud stands on: clock, ledger, bus, HTTP, credentials, ports."""
