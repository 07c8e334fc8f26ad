"""The analytics service: rules in model, use cases in service, routes and events in api."""
