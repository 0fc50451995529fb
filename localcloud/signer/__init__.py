"""Signer: signs the code of Lambda functions, and verifies its signatures."""
