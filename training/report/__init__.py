"""The story of a release, for people and for machines."""
