"""One module per system spoken to; they do not know each other."""
