"""A journal as its owner looks after it: what is in it, pruned, carried elsewhere, mended.

reports.py    what each of these tells, as values with a published schema
held.py       the journal of a project, opened for this; who else may be at it
inventory.py  how much there is, of whom, and what the project's runs still use
answers.py    answers one by one: listed, or one with all its attempts
pruning.py    answers that go
carrying.py   answers as lines of JSON, out of one journal and into another
mending.py    damage told, and what is whole kept
"""
