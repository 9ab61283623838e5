import pytest

from flyball import errors
from flyball.serving import release
from flyball.site import renewal, self_update


def test_what_is_no_folder_of_wheels_is_refused(tmp_path):
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "a.txt").write_text("a")
    folder = (tmp_path / "draft").rename(tmp_path / release.sealed(tmp_path / "draft"))
    with pytest.raises(errors.FormatError, match="flyball wheels collect"):
        renewal.about(folder)
    with pytest.raises(errors.TamperedError):
        renewal.about(tmp_path)


def test_a_new_version_is_tried_on_what_serves_and_on_nothing_where_nothing_does(tmp_path, monkeypatch):
    from flyball import seals
    from flyball.serving.trust import Order

    assert renewal._served(tmp_path) is None
    page = tmp_path / "pages" / "p"
    page.mkdir(parents=True)
    (page / "state.json").write_bytes(seals.sealed({"serving": "a"}))
    assert renewal._served(tmp_path) is None  # the slot is empty
    order = Order("p", "ab" * 32, 1, 1, "wave", ("nxe",), "")
    monkeypatch.setattr(renewal.slots.Slots, "order", lambda self, slot: order)
    found = renewal._served(tmp_path)
    assert isinstance(found, self_update.Served) and found.digest == order.release
