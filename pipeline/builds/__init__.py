"""Shared by synthesis and builds: the commit, bundles, downloads and recorded settings."""
