"""The update rules: for each its formula, its class and its function on one array."""
