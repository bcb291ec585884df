"""What the families have in common whose orders keep their funds in a wallet's vault: deposit, fills, withdrawal."""
