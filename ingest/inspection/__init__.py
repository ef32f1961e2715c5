"""What a file says of itself: evidence from a bounded look at it, and guesses that carry their reasons."""
