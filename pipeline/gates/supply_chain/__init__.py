"""What a release is made of, whether it may be shipped, and who vouches for it."""
