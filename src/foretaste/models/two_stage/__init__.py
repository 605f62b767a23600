"""Two stages: several models propose items, and trees rank what they propose."""
