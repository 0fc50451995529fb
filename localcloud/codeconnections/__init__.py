"""CodeConnections: a bare git repository for each owner/name, served over HTTP."""
