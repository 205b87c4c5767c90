"""Models as TorchServe serves them: archives, what its backends run, and what goes to and fro."""
