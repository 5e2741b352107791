"""Which releases are loaded, and which of them answers whom."""
