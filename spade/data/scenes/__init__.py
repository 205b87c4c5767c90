"""Landscapes that the project draws by itself: a label map and a picture from one integer."""
