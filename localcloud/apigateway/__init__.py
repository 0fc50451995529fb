"""API Gateway: REST APIs, which moto stores and the data plane serves."""
