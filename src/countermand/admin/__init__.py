"""What an operator may do, over HTTP: `/admin`. Each request needs an API key with the scope `admin`."""
