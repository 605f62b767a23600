"""What people see in a browser: the web app, and the HTTP client through which alone it knows the service."""
