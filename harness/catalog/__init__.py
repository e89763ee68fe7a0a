"""What problem and kernel files there are, and what they state."""
