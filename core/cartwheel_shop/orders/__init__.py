"""The orders service: rules in model, use cases in service, routes and tasks in api."""
