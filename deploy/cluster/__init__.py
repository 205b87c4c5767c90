"""Training on a Kubernetes cluster: what a pod runs, and the commands that start and watch runs."""
