"""What landed, in order and each once: a subscription, and what it missed."""
