"""TorchServe as a part of the service: its process, its models, its commands."""
