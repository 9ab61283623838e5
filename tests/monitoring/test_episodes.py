from flyball.monitoring import episodes, stage


def row(machine, week, column="x", cause="sensor", kind="shift", machines=None):
    who = machines if machines is not None else (machine,)
    return stage.Watched(
        column,
        week - 1,
        week,
        9,
        6.0,
        5.0,
        {},
        True,
        machine,
        who,
        began=week,
        sure=0.01,
        cause=cause,
        kind=kind,
    )


def test_windows_in_a_row_are_one_and_a_pause_begins_another():
    found = episodes.alarms([row("m1", week) for week in (1, 2, 4)], 40)
    assert [(one.at, one.machines) for one in found] == [(1, ("m1",)), (4, ("m1",))]


def test_what_the_whole_fleet_shows_is_one_alarm_that_names_the_machines():
    names = [f"m{number}" for number in range(12)]
    found = episodes.alarms([row(name, week) for week in (1, 2) for name in names], 40)
    assert len(found) == 1
    assert set(found[0].machines) == set(names) and found[0].cause == "data"


def test_two_machines_with_one_column_stay_two():
    assert len(episodes.alarms([row("m1", 1), row("m2", 1)], 40)) == 2


def test_a_machine_that_goes_on_after_the_fleet_is_no_new_alarm():
    fleet = [row("", 1, machines=("m1", "m2", "m3"), cause="data"), row("m1", 1), row("m2", 1)]
    assert len(episodes.alarms([*fleet, row("m1", 2)], 40)) == 1


def test_another_column_of_other_machines_is_another_episode_of_the_fleet():
    first = [row("", week, "x", machines=("m1", "m2", "m3"), cause="data") for week in (1, 2)]
    other = row("", 2, "y", machines=("m7", "m8", "m9"), cause="data")
    assert [one.columns for one in episodes.alarms([*first, other], 40)] == [("x",), ("y",)]
