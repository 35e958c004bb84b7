"""Words of any language and script, in the one form in which this project compares them."""
