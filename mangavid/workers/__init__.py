"""What an EC2 instance (here: a process) does: lease, heartbeat, checkpoint, drain; rendering and publishing on top."""
