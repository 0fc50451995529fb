"""What the service's bundle keeps of botocore."""

AWS_SERVICES = ("s3",)
"""The AWS services that the app calls, as botocore names them."""
