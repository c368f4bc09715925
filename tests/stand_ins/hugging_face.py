"""A stand-in for the Hugging Face Hub: what `huggingface_hub` asks for models and with a commit.

Repositories are kept in memory, one dictionary of files a commit. Models travel as the hub's large
files do, by the LFS protocol; its newer one, Xet, is not spoken. Tokens: who has `"write:me"` may
write below `me/`, and who has that or `"read:me"` may read what is private there.
"""

import base64
import contextlib
import hashlib
import json
import re
import types

import yaml

from stand_ins.server import Answer, Server

_LARGE = (".keras", ".png")


class HuggingFace(Server):
    """The hub; `repositories` are `{name: {"private": bool, "commits": [{file: bytes}]}}`."""

    def __init__(self):
        super().__init__()
        self.repositories, self._uploads = {}, {}

    def put(self, name, folder, private=False, gated=False):
        """Adds a commit with the files of a folder; returns its id."""
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        repository = self.repositories.setdefault(
            name, {"private": private, "gated": gated, "commits": []}
        )
        repository["commits"].append(files)
        return self._id(name, len(repository["commits"]) - 1)

    def files(self, name):
        """The files of the last commit."""
        return self.repositories[name]["commits"][-1]

    @staticmethod
    def _id(name, index):
        return hashlib.sha1(f"{name} {index}".encode()).hexdigest()

    # Who may what ---------------------------------------------------------------------------------

    def _readable(self, request, name):
        repository = self.repositories.get(name)
        token = request.headers.get("Authorization", "")
        owner = name.partition("/")[0]
        if repository is None or (
            repository["private"] and token not in (f"Bearer read:{owner}", f"Bearer write:{owner}")
        ):
            # Whether it exists is nobody's business, and who is nobody should log in.
            raise Answer(b"", 404 if token else 401, X_Error_Code="RepoNotFound")
        if repository["gated"] and not token:
            raise Answer(b"", 401, X_Error_Code="GatedRepo")
        return repository

    def _check_writable(self, request, name):
        token, owner = request.headers.get("Authorization", ""), name.partition("/")[0]
        if not token:
            raise Answer({"error": "Invalid username or password."}, 401)
        if token != f"Bearer write:{owner}":
            raise Answer({"error": "You don't have the rights to do that."}, 403)

    def _commit(self, request, name, revision):
        """The id and the files of a branch, which is `main`, a tag, `v1`, or a commit."""
        commits = self._readable(request, name)["commits"]
        known = {self._id(name, index): files for index, files in enumerate(commits)}
        named = {"main": [*known][-1:], "v1": [*known][:1]}.get(revision, [revision])
        if not named:
            return "0" * 40, {}
        if named[0] not in known:
            raise Answer(b"", 404, X_Error_Code="RevisionNotFound")
        return named[0], known[named[0]]

    # What is read ---------------------------------------------------------------------------------

    def _info(self, request, name, revision="main"):
        commit, files = self._commit(request, name, revision)
        siblings = [{"rfilename": path} for path in files]
        return Answer(
            {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "tags": []}
        )

    def _tree(self, request, name, revision):
        _, files = self._commit(request, name, revision)
        return Answer([self._entry(path, content) for path, content in files.items()])

    def _entry(self, path, content):
        entry = {"type": "file", "path": path, "size": len(content), "oid": _blob_id(content)}
        if path.endswith(_LARGE):
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 134}
        return entry

    def _file(self, request, name, revision, path):
        commit, files = self._commit(request, name, revision)
        if path not in files:
            raise Answer(b"", 404, X_Error_Code="EntryNotFound", X_Repo_Commit=commit)
        content = files[path]
        if not path.endswith(_LARGE):
            headers = {"ETag": f'"{_blob_id(content)}"', "Content_Length": len(content)}
            return Answer(self.spoiled(path, content), X_Repo_Commit=commit, **headers)
        # Large files lie on another host, where nobody is asked for a token.
        place = f"{self.url.replace('127.0.0.1', 'localhost')}/{name}/{commit}/{path}"
        headers = {"Location": place, "X_Linked_Size": len(content), "X_Repo_Commit": commit}
        return Answer(b"", 302, X_Linked_ETag=f'"{hashlib.sha256(content).hexdigest()}"', **headers)

    def _large_file(self, request, name, commit, path):
        if "Authorization" in request.headers:
            raise Answer(b"", 400)
        commits = self.repositories[name]["commits"]
        (content,) = (
            files[path] for index, files in enumerate(commits) if self._id(name, index) == commit
        )
        headers = {"Content_Length": len(content)}
        if asked := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", "")):
            # A connection that broke once breaks again, and nothing more comes.
            rest = b"" if self.faults.get(".keras") == "cut short" else content[int(asked[1]) :]
            headers["Content_Length"] = len(content) - int(asked[1])
            headers["Content_Range"] = f"bytes {asked[1]}-{len(content) - 1}/{len(content)}"
            return Answer(rest, 206, **headers)
        return Answer(self.spoiled(path, content), **headers)

    # What is written ------------------------------------------------------------------------------

    def _create(self, request):
        asked = json.loads(request.body)
        name = f"{asked['organization']}/{asked['name']}"
        self._check_writable(request, name)
        if name in self.repositories:
            told = {"error": "You already created this model repo", "url": f"{self.url}/{name}"}
            raise Answer(told, 409)
        private = asked.get("visibility") == "private" or bool(asked.get("private"))
        self.repositories[name] = {"private": private, "gated": False, "commits": []}
        return Answer({"url": f"{self.url}/{name}", "name": name})

    def _validate(self, request):
        head = re.match(r"---\n(.*?)\n---\n", json.loads(request.body)["content"], re.S)
        try:
            entries = yaml.safe_load(head[1]) if head else {}
            is_valid = isinstance(entries, dict)
        except yaml.YAMLError:
            is_valid = False
        if not is_valid:
            raise Answer({"errors": [{"message": "The head is no YAML."}], "warnings": []}, 400)
        return Answer({"errors": [], "warnings": []})

    def _preupload(self, request, name, revision):
        self._check_writable(request, name)
        modes = [
            {
                "path": file["path"],
                "uploadMode": "lfs" if file["path"].endswith(_LARGE) else "regular",
                "shouldIgnore": False,
            }
            for file in json.loads(request.body)["files"]
        ]
        return Answer({"files": modes})

    def _batch(self, request, name):
        self._check_writable(request, name)
        objects = [
            {**asked, "actions": {"upload": {"href": f"{self.url}/storage/{asked['oid']}"}}}
            for asked in json.loads(request.body)["objects"]
        ]
        return Answer({"transfer": "basic", "objects": objects})

    def _store(self, request, digest):
        if hashlib.sha256(request.body).hexdigest() != digest:
            raise Answer(b"", 400)
        self._uploads[digest] = request.body
        return Answer()

    def _add_commit(self, request, name, revision):
        self._check_writable(request, name)
        commits = self.repositories[name]["commits"]
        files = dict(commits[-1]) if commits else {}
        for line in request.body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                files[value["path"]] = self._uploads[value["oid"]]
        commits.append(files)
        commit = self._id(name, len(commits) - 1)
        return Answer({"commitOid": commit, "commitUrl": f"{self.url}/{name}/commit/{commit}"})

    _NAME = r"([\w.-]+/[\w.-]+)"
    routes = (
        (f"GET /api/models/{_NAME}", _info),
        (f"GET /api/models/{_NAME}/revision/(.+)", _info),
        (f"GET /api/models/{_NAME}/tree/(.+)", _tree),
        (f"(?:GET|HEAD) /{_NAME}/resolve/([^/]+)/(.+)", _file),
        (f"GET /{_NAME}/([0-9a-f]{{40}})/(.+)", _large_file),
        ("POST /api/repos/create", _create),
        ("POST /api/validate-yaml", _validate),
        (f"POST /api/models/{_NAME}/preupload/(.+)", _preupload),
        (rf"POST /{_NAME}\.git/info/lfs/objects/batch", _batch),
        ("PUT /storage/(.+)", _store),
        (f"POST /api/models/{_NAME}/commit/(.+)", _add_commit),
    )


def _blob_id(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextlib.contextmanager
def connected(patch, cache, token=None, offline=False):
    """A running stand-in that `huggingface_hub`, which has read its environment, takes for the hub.

    Args:
        patch: A `pytest.MonkeyPatch`.
        cache: The folder of the client's cache.
        token: Whose; nobody's by default.
        offline: Whether `HF_HUB_OFFLINE` is set.
    """
    from huggingface_hub import constants, file_download

    with HuggingFace().running() as hub:
        patch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "no token"))
        patch.setattr(constants, "HF_HUB_OFFLINE", offline)
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        patch.setenv("HF_TOKEN", token or "")
        # The client waits a second before it goes on with a download that broke off.
        patch.setattr(file_download, "time", types.SimpleNamespace(sleep=lambda seconds: None))
        yield hub
