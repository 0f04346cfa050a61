"""The command line, a module a group of verbs; each adds its verbs by `register`."""
