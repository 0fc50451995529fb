"""What the delivery of the files API needs, and what is not in the app's bundle.

The platform imports these modules by their names (`pipeline.service`, docs/your-service.md).
"""
