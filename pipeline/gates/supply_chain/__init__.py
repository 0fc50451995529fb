"""The supply chain of a release: its contents, the policies for them, and the attestation."""
