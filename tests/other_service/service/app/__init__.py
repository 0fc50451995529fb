"""The squares API: FastAPI on Lambda, without resources of its own."""
