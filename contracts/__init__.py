"""The ground floor: what passes between Perennial's programs, and nothing that runs."""
