"""What became of rows: a run is gone through again from its journal, and watched."""
