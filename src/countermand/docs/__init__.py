"""The page at `/docs`: static files, built from `console/docs` at the top of the repository."""
