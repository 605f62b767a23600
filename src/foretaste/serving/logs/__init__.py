"""What the service writes down: answers, feedback and registrations, durable before they are acknowledged."""
