"""The command line: one file a command.

The only place that prints and reads arguments. Modules here import nothing heavy before it is
needed, so that ``dpipe --version`` and ``dpipe check`` answer at once.
"""
