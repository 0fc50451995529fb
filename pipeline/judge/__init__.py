"""The canary judge: a Lambda function that evaluates the release in progress once a minute."""
