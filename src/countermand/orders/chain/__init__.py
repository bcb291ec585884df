"""What the families whose orders live on the chain have in common."""
