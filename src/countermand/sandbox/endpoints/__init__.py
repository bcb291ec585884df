"""`/sandbox`: the endpoints of the sandbox, a file for each kind."""
