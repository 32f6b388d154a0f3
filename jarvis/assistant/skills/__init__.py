"""What each intent does and says."""
