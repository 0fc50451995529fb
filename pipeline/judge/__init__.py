"""The judge on AWS: a function that looks at a release once a minute, and says what it found."""
