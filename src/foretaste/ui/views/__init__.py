"""The pages of the web app, one a file, each with a `show(client, about)`."""
