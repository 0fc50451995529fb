"""Signer: signs the code of Lambda functions, and says who has signed what."""
