"""The bridge's HTTP API under /v1, for the other processes: routes, keys, the shapes of what goes out, the OpenAPI document."""
