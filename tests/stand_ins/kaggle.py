"""A stand-in for Kaggle: what `kagglehub` asks for models.

Versions are kept in memory, one dictionary of files each. Tokens: who has `"me"` may read and write
below `me/`; what is public everybody may read.
"""

import base64
import contextlib
import hashlib
import json

from stand_ins.server import Answer, Server


class Kaggle(Server):
    """The hub; `models` are `{"owner/model/framework/variation": [{file: bytes}]}`, by version."""

    def __init__(self):
        super().__init__()
        self.models, self.private, self._uploads = {}, set(), {}

    def put(self, handle, folder, private=False):
        """Adds a version with the files of a folder."""
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.models.setdefault(handle, []).append(files)
        if private:
            self.private.add(handle.rpartition("/")[0].rpartition("/")[0])

    def files(self, handle):
        """The files of the last version."""
        return self.models[handle][-1]

    @staticmethod
    def _is_owner(request, owner):
        return request.headers.get("Authorization") == f"Bearer {owner}"

    def _versions(self, request, asked):
        """The versions of what a request is about."""
        owner, model = asked["ownerSlug"], asked["modelSlug"]
        # Frameworks go by the names of an enumeration, MODEL_FRAMEWORK_KERAS.
        framework = asked["framework"].rpartition("_")[2].lower()
        handle = f"{owner}/{model}/{framework}/{asked['instanceSlug']}"
        if f"{owner}/{model}" in self.private and not self._is_owner(request, owner):
            raise Answer({"code": 403, "message": "Permission denied"}, 403)
        if handle not in self.models:
            raise Answer({"code": 404, "message": "Not found"}, 404)
        return handle, self.models[handle]

    def _version(self, request, asked):
        handle, versions = self._versions(request, asked)
        if asked["versionNumber"] > len(versions):
            raise Answer({"code": 404, "message": "Not found"}, 404)
        return handle, versions[asked["versionNumber"] - 1]

    # What is read ---------------------------------------------------------------------------------

    def _get_instance(self, request):
        asked = json.loads(request.body)
        _, versions = self._versions(request, asked)
        return Answer({"slug": asked["instanceSlug"], "versionNumber": len(versions)})

    def _list_files(self, request):
        _, files = self._version(request, json.loads(request.body))
        listed = [{"name": name, "size": len(content)} for name, content in files.items()]
        return Answer({"files": listed, "nextPageToken": ""})

    def _download(self, request):
        asked = json.loads(request.body)
        handle, _ = self._version(request, asked)
        place = f"{self.url}/storage/{handle}/{asked['versionNumber']}/{asked['path']}"
        return Answer(b"", 302, Location=place)

    def _stored(self, request, handle, version, name):
        content = self.models[handle][int(version) - 1][name]
        digest = base64.b64encode(hashlib.md5(content).digest()).decode()
        # Kaggle gives such a sum, and what is altered has one of its own: the owner's files are.
        arriving = self.spoiled(name, content)
        if len(arriving) == len(content):
            digest = base64.b64encode(hashlib.md5(arriving).digest()).decode()
        return Answer(arriving, Content_Length=len(content), X_Goog_Hash=f"md5={digest}")

    # What is written ------------------------------------------------------------------------------

    def _get_model(self, request):
        asked = json.loads(request.body)
        name = f"{asked['ownerSlug']}/{asked['modelSlug']}"
        if not any(handle.startswith(f"{name}/") for handle in self.models):
            raise Answer({"code": 404, "message": "Not found"}, 404)
        return Answer({"slug": asked["modelSlug"]})

    def _create_model(self, request):
        asked = json.loads(request.body)
        if not self._is_owner(request, asked["ownerSlug"]):
            raise Answer({"code": 403, "message": "Permission denied"}, 403)
        self.private.add(f"{asked['ownerSlug']}/{asked['slug']}")
        return Answer({"id": 1})

    def _start_upload(self, request):
        asked = json.loads(request.body)
        token = f"token of {asked['name']}"
        place = f"{self.url}/uploads/{asked['name']}"
        return Answer({"token": token, "createUrl": place})

    def _store(self, request, name):
        self._uploads[f"token of {name}"] = name, request.body
        return Answer()

    def _create_instance(self, request):
        asked = json.loads(request.body)
        body = asked["body"]
        framework = body["framework"].rpartition("_")[2].lower()
        handle = f"{asked['ownerSlug']}/{asked['modelSlug']}/{framework}/{body['instanceSlug']}"
        if not self._is_owner(request, asked["ownerSlug"]):
            raise Answer({"code": 403, "message": "Permission denied"}, 403)
        if handle in self.models:
            return Answer({"error": "It exists", "errorCode": 409})
        self.models[handle] = [self._uploaded(body)]
        return Answer({"id": 2})

    def _create_version(self, request):
        asked = json.loads(request.body)
        _, versions = self._versions(request, asked)
        versions.append(self._uploaded(asked["body"]))
        return Answer({"id": 3})

    def _uploaded(self, body):
        return dict(self._uploads[file["token"]] for file in body["files"])

    _SERVICE = r"POST /api/v1/models\.ModelApiService/"
    routes = (
        (f"{_SERVICE}GetModelInstance", _get_instance),
        (f"{_SERVICE}ListModelInstanceVersionFiles", _list_files),
        (f"{_SERVICE}DownloadModelInstanceVersion", _download),
        (r"GET /storage/([^/]+/[^/]+/[^/]+/[^/]+)/(\d+)/(.+)", _stored),
        (f"{_SERVICE}GetModel", _get_model),
        (f"{_SERVICE}CreateModel", _create_model),
        (r"POST /api/v1/blobs\.BlobApiService/StartBlobUpload", _start_upload),
        ("PUT /uploads/(.+)", _store),
        (f"{_SERVICE}CreateModelInstance", _create_instance),
        (f"{_SERVICE}CreateModelInstanceVersion", _create_version),
    )


@contextlib.contextmanager
def connected(patch, cache, token=None):
    """A running stand-in that `kagglehub` takes for Kaggle.

    Args:
        patch: A `pytest.MonkeyPatch`.
        cache: The folder of the client's cache.
        token: Whose; nobody's by default.
    """
    from kagglehub import clients
    from kagglesdk import kaggle_env

    with Kaggle().running() as hub:
        # The client knows Kaggle's own machines, and one at the port 80 of this one.
        patch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
        patch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, hub.url)
        patch.setenv("KAGGLEHUB_CACHE", str(cache))
        patch.setenv("KAGGLE_CONFIG_DIR", str(cache / "no credentials"))
        patch.setenv("KAGGLE_API_TOKEN", token or "")
        patch.setenv("HOME", str(cache / "no home"))
        # To learn who calls, the client looks up the module of every frame, a second's work here.
        patch.setattr(clients, "get_user_agent", lambda: "kagglehub")
        yield hub
