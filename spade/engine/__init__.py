"""The fast exact engine: the pictures of the plain generator in evaluation mode, several times sooner."""
