"""From the socket to the resources of the dialects: the server, the door of all requests, the pages of operations."""
