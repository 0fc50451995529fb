"""The parts of botocore that the service's bundle includes."""

AWS_SERVICES = ("s3",)
"""The AWS services that the app calls, as botocore names them."""
