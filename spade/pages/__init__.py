"""Pages for a browser that need nothing from elsewhere, all of one look."""
