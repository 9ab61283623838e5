"""The list of channels: every page may declare them, and nothing is there twice."""

from flyball import fab, units
from flyball.fab import channels


def test_every_channel_has_a_unit_that_a_page_may_declare():
    assert set(fab.UNITS.values()) <= set(units.names())


def test_names_are_unique_and_fit_columns():
    names = [channel.name for channel in channels.CHANNELS]
    assert len(set(names)) == len(names) == 55
    assert all(name.isidentifier() and name == name.lower() for name in names)


def test_noise_shows_in_the_resolution():
    for channel in channels.CHANNELS:
        if channel.name != "handler_retries" and not channel.on_change:
            assert channel.step <= channel.sigma * 4.0, channel.name
