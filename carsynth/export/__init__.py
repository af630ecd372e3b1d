"""Labelled pictures in the formats that other tools read, each with where it came from."""
