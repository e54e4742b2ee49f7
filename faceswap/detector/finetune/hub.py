"""Publishing a fine-tuned model on a model hub, as a private repository of the user's.

Files that name the user's pictures stay at home.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    HfHubHTTPError,
    HFValidationError,
    HTTPError,
    LocalTokenNotFoundError,
)
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from faceswap.detector.network.files import CARD, CONFIG, PATCH_HEAD, PROCESSOR, WEIGHTS
from faceswap.errors import UserError

PUBLISHED = (
    CONFIG, WEIGHTS, PROCESSOR, PATCH_HEAD, CARD, "README.md", "metrics.json", "confusion.png", "curves.png",
    "log.jsonl",
)  # fmt: skip


class Hub:
    """A hub that this user may write to.

    endpoint: its address, None = huggingface_hub's own setting (HF_ENDPOINT). Raises UserError for a name
    that cannot be one, without a token, for a refused one, and where the hub cannot be reached: asked
    before a training, not after it.
    """

    def __init__(self, repo: str, endpoint: str | None = None, token: str | None = None) -> None:
        self.repo, self._api = repo, HfApi(endpoint=endpoint, token=token)
        with self._told():
            validate_repo_id(repo)
            self._api.whoami()

    def push(self, folder: Path) -> str:
        """Upload the model in `folder` in one commit, into a new private repository where there is none.

        Returns the commit's address.
        """
        with self._told():
            name = self._api.create_repo(self.repo, private=True, exist_ok=True).repo_id
            done = self._api.upload_folder(
                repo_id=name,
                folder_path=folder,
                allow_patterns=list(PUBLISHED),
                commit_message="Fine-tuned on the user's own Real and Fake folder",
            )
        return str(done.commit_url)

    @contextmanager
    def _told(self) -> Iterator[None]:
        again = "the model is safe in its folder, and the same command pushes it again"
        try:
            yield
        except LocalTokenNotFoundError:
            hint = "type: hf auth login (or set HF_TOKEN), with a token that may write"
            raise UserError("no token for the model hub was found", "", hint) from None
        except HFValidationError as error:
            raise UserError(
                f"{self.repo!r} cannot be a repository", str(error), "name one like YOU/MODEL"
            ) from None
        except HfHubHTTPError as error:
            found = f"{error.response.status_code}: {str(error).splitlines()[0]}"
            raise UserError(
                f"the model hub refused {self.repo}", found, f"check the token; {again}"
            ) from None
        except (HTTPError, OSError) as error:
            found = f"{self._api.endpoint}: {error}"
            raise UserError("the model hub cannot be reached", found, f"check the network; {again}") from None
