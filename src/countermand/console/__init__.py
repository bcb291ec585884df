"""The console at `/`: static files, built from `console/` at the top of the repository, and served by the gateway."""
