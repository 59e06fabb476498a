"""What runs inside the TEE: the worker, its keys and its model, and a simulator for development."""
