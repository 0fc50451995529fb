"""API Gateway REST APIs: moto keeps what they are, this serves them."""
