"""The byte of a posting: the number of a field, and how often the field has the term."""

FREQUENCY_BITS = 5  # the others are the number of the field
MAX_FIELDS = 1 << (8 - FREQUENCY_BITS)
MAX_FREQUENCY = (1 << FREQUENCY_BITS) - 1  # a term that comes more often in a field has several postings
