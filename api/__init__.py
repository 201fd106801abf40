"""dpipe: checked, resumable pipelines that make training data with language models."""
