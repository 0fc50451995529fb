"""The delivery of the files API: all of its parts outside the app's bundle.

The platform imports these modules by their names (`pipeline.service`, docs/your-service.md).
"""
