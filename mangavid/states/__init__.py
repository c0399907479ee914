"""What each Lambda function does, a module a function: ``handle(target, event) -> result`` over the ports."""
