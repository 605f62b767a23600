"""What is kept: runs, bundles, and the store that names the live one."""
