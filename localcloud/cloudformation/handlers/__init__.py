"""The API calls that CloudFormation's resource handlers make."""
