"""The servers of the peers. They run in the peers' own environments and import nothing of Perennial."""
