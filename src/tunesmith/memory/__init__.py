"""What one training step holds in GPU memory, instant by instant."""
