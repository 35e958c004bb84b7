"""Searching on several machines: the parts of a generation on the nodes of a cluster, and what asks them."""
