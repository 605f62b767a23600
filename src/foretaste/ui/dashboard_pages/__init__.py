"""The pages of the dashboard: each a file with a function `page(view)`, and what they share."""
