"""What one does with a trained encoder."""
