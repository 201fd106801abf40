"""A dataset's way to the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
import huggingface_hub.utils

from dpipe.runtime.errors import UsageError

_ONLY_CRITICAL = 50
_utils: Any = huggingface_hub.utils


class Hub:
    """One repository of datasets, as ``owner/name``; who pushes is told by ``HF_TOKEN``.

    Raises ``UsageError`` where the name is none, or nobody is logged in.
    """

    def __init__(self, name: str, private: bool) -> None:
        try:
            _utils.validate_repo_id(name)
        except ValueError:
            raise UsageError(f'`push: "{name}"` is no name of a dataset') from None
        if huggingface_hub.get_token() is None:
            message = f"`push:` of `{name}` needs a token of the hub"
            raise UsageError(message, hint="set HF_TOKEN, or run `hf auth login`")
        self._name, self._private = name, private

    def push(self, folder: Path, files: Sequence[str]) -> None:
        """Make the repository hold these files, and no other Parquet; raises ``UsageError``."""
        _utils.disable_progress_bars()
        huggingface_hub.logging.set_verbosity(_ONLY_CRITICAL)
        api = huggingface_hub.HfApi()
        try:
            api.create_repo(self._name, repo_type="dataset", private=self._private, exist_ok=True)
            api.upload_folder(
                repo_id=self._name,
                repo_type="dataset",
                folder_path=folder,
                allow_patterns=list(files),
                delete_patterns="data/*.parquet",
                commit_message="Made with dpipe",
            )
        except Exception as e:  # of whatever kind the library and its network make
            why = (str(e).strip() or type(e).__name__).splitlines()[0]
            message = f"cannot push to the dataset `{self._name}`: {why}"
            raise UsageError(message, hint=f"what was written is complete, in {folder}") from None
