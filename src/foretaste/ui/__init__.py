"""What people see in a browser: the web app, which knows the service by HTTP alone, and the dashboard over the logs."""
