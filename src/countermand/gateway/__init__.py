"""From the socket to the resources of the dialects: the server, the HTTP gateway, the pages of operations."""
