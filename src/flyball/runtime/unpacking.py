"""Bundles in: their members are taken in one after another, as if they lay in a folder called as the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from flyball import data, errors
from flyball.data import arrivals, bindings, bundles
from flyball.data.formats import read as formats
from flyball.runtime import claims
from flyball.runtime.taking import Taking


def unpack(taking: Taking, file: claims.Landed, sites: data.Bindings) -> None:
    """Take in the members of a bundle that belong to a table, one after another, as if they lay in a folder."""
    path, name = file.path.resolve() if file.follow else file.path, file.name
    try:
        with bundles.opened(path, taking.limits, file.seen) as bundle:
            claimed = list(_members(taking, bundle, file))
            if "image" in taking.store.fleet.columns().values() and not claimed and not bundle.note:
                return  # an archive of images, which rows beside it name
            for table, member in claimed:
                _member(taking, bundle, table, member, file, sites)
            if bundle.note:
                taking.receipt.notes.append(f"{name}: {bundle.note}")
                taking.refuse(claims.BUNDLE, name, bundle.note, "")
    except errors.StoreError:
        raise
    except arrivals.RefusedError as refused:
        if taking.patient and isinstance(refused, arrivals.ChangingError):
            taking.receipt.waiting[name] = str(refused)
        else:
            taking.refuse(claims.BUNDLE, name, str(refused), "")
    except errors.DataError as error:
        if not taking.patient:
            raise
        taking.receipt.waiting[name] = str(error)


def _members(
    taking: Taking, bundle: bundles.Bundle, file: claims.Landed
) -> Iterator[tuple[data.Table, bundles.Member]]:
    """Yield the members that belong to a table, by their own name or the bundle's; others are told."""
    whole = file.path.name[: -len(bundles.ending(file.path.name))]
    pictured = "image" in taking.store.fleet.columns().values()
    for member in bundle.members:
        below = Path(member.name)
        if any(piece.startswith(".") and piece != ".." for piece in below.parts):
            continue
        if member.refused:
            taking.refuse(claims.BUNDLE, f"{file.name}/{member.name}", member.refused, "")
            continue
        if pictured and below.suffix.lower() in claims.PICTURES:
            continue
        table = None
        if formats.ending(below):
            inside = Path(file.name).parent / whole / below
            named = formats.claim(taking.store.fleet, below, inside)
            table = named or formats.claim(
                taking.store.fleet, Path(f"{whole}{formats.ending(below)}"), Path(whole)
            )
        if table is None:
            taking.receipt.unclaimed.append(f"{file.name}/{member.name}")
        else:
            yield table, member


def _member(
    taking: Taking, bundle: bundles.Bundle, table: data.Table, member: bundles.Member, file: claims.Landed,
    sites: data.Bindings,
) -> None:  # fmt: skip
    name = f"{file.name}/{member.name}"
    try:
        content = bundle.read(member)
    except bundles.Cut as cut:
        return taking.refuse(table, name, str(cut), "")
    taking.add(
        table,
        bundle.path / member.name,
        name,
        content,
        sites.of(_inside(file, member), taking.came),
        bundle.path,
    )


def _inside(file: claims.Landed, member: bundles.Member) -> Path:
    """Return what tells the binding of a member: its name in a folder called as the bundle, whose day counts too."""
    whole = file.path.name[: -len(bundles.ending(file.path.name))]
    below = Path(file.name).parent / whole / member.name
    dated = bindings.DAY.search(below.name) is None and bindings.DAY.search(whole) is not None
    return below.with_name(f"{whole}-{below.name}") if dated else below
