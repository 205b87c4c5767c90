"""Datasets: label maps, pictures and instance maps from files, and landscapes drawn by the project itself."""
