"""The steps that bring a database of any earlier release to the tables of this one."""
