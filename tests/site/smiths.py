"""Wheels in the shape of flyball, made in a moment, that behave as a test says."""

import base64
import hashlib
import json
import zipfile

from flyball.serving import release
from flyball.site import self_update

CLI = """
def main():
    {stop}
    print("flyball {version}")
"""
CHECK = """
import json, pathlib, sys
assert len(sys.argv) == 3 and pathlib.Path(sys.argv[1]).is_dir()
print(json.dumps({{"flyball": "{version}", "golden_error": {apart}, "complete": True}}))
"""


def wheel(folder, version, apart="0.0", stop="pass", name="flyball", needs=()):
    """Write a wheel that says its version (after `stop`) and is `apart` from any golden vectors; return its file."""
    info = f"{name}-{version}.dist-info"
    head = [f"Requires-Dist: {one}" for one in needs]
    files = {
        f"{name}/__init__.py": "",
        f"{name}/cli.py": CLI.format(version=version, stop=stop),
        f"{name}/site/__init__.py": "",
        f"{name}/site/self_update.py": CHECK.format(version=version, apart=apart),
        f"{info}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *head, ""]
        ),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}.cli:main\n",
    }
    sums = {
        path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        for path, text in files.items()
    }
    record = "".join(f"{path},sha256={sums[path]},{len(text.encode())}\n" for path, text in files.items())
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return file


def bundle(folder, version, python="3.11", **how):
    """Write a sealed folder of wheels with flyball in it; return the folder and its digest."""
    wheel(folder, version, **how)
    (folder / self_update.ABOUT).write_text(json.dumps({"flyball": version, "python": python}))
    return folder, release.sealed(folder)
