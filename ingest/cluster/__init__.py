"""Work on the nodes of a Ray cluster: files and functions go out as leases, and results come back item by item."""
