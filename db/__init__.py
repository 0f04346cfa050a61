"""What is remembered: tables, migrations, queries and the image store. Knows nothing of `models` or `core`."""
