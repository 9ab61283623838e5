"""The trials themselves run in test_fleet.py; here is what they begin with."""

from flyball.torture import updates


def test_a_machine_is_before_its_update_as_often_as_it_is_brought_back(tmp_path):
    update = updates.Updating(tmp_path, 1)
    for _ in range(2):
        site = update.before()
        agent = update.world.boot(site)
        assert update.answers() == update.first
        agent._next = 0
        update.world.round(site, 0)
        assert update.answers() == update.second
