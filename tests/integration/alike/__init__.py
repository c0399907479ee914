"""The same scenarios on the local target and on the AWS adapters: what goes wrong is drawn from a seed."""
