"""The HTTP API of an operator: `/admin`. Each request needs an API key with the scope `admin`."""
