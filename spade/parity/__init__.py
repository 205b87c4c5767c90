"""Our networks held against numbers recorded from the published code."""
