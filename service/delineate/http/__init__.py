"""The HTTP surface: FastAPI application, routes, schemas and the problem table."""
