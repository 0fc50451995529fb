"""What synthesis and builds share: the commit, bundles, downloads and recorded settings."""
