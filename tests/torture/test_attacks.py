"""Every named attack on the signed set is refused by name, and goes through where nothing is checked."""

import pytest

from flyball.torture import attacks

#: What is no attack and asks for no new root goes well whatever is broken.
HARMLESS = {
    "first_time_refresh",
    "intermediate_root_expired",
    "compute_metafile_hashes_length",
    "key_loss_one_of_three",
}


@pytest.mark.parametrize("attack", attacks.ATTACKS, ids=lambda attack: attack.name)
def test_the_attack_is_refused_by_name(attack, tmp_path):
    assert attacks.mounted(attack, tmp_path) == ""


@pytest.mark.parametrize(
    "attack", [a for a in attacks.ATTACKS if a.name not in HARMLESS], ids=lambda attack: attack.name
)
def test_the_attack_goes_through_where_the_machine_is_broken(attack, tmp_path):
    assert attacks.mounted(attack, tmp_path, sabotage=True) != ""
